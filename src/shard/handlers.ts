import {
  COUNTER_STARTED_OFFSET,
  SLOT_EXPIRED_FLAG,
  SLOT_FLAGS_OFFSET,
  SLOT_NO_START,
  SLOT_QUEUE_DEADLINE_OFFSET,
  SLOT_ROUTE_OFFSET,
  SLOT_STARTED_AT_OFFSET,
  SLOT_SUBMITTED_AT_OFFSET,
} from '../../assembly/layout.js';
import { slotAddress } from '../contract/memory-map.js';
import { NOT_FOUND_ROUTE, type ShardReport } from '../contract/messages.js';
import { elapsedUs } from '../core/clock.js';
import { LoopShardError, type LoopShardErrorCode } from '../errors.js';
import type { CompiledWriter } from '../json/compile.js';
import type { ShardContext } from './context.js';
import { describe } from './describe.js';
import { SlotRequest } from './request/request.js';
import { Responder } from './response/responder.js';
import { SlotResponse } from './response/response.js';
import { StreamedResponses, type StreamedTask } from './streams/streamed-responses.js';

/** What a handler that lets them pass answers 400 for, and what is not logged. */
const CLIENTS_FAULTS: readonly LoopShardErrorCode[] = ['BODY_INVALID', 'BODY_INCOMPLETE'];

/** Starts handlers and turns what becomes of them into responses: each on its own, none waits for another. Shard. */
export class Handlers {
  /** Handlers that were started and have not settled. */
  inFlight = 0;
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #streams: StreamedResponses;
  readonly #complete: (slot: number, handlerUs: number) => void;
  /** The clock when the latest handler settled. */
  #settledAt = 0;

  /** @param complete called with each slot that is done, and how long its handler took; 0 if it was not started */
  constructor(context: ShardContext, complete: (slot: number, handlerUs: number) => void) {
    this.#context = context;
    this.#responder = new Responder(context);
    this.#complete = complete;
    this.#streams = new StreamedResponses(context, this.#responder, {
      onFailed: (task, error) => this.#fail(task as Task, error),
      onSettled: (task) => this.#finish(task as Task),
      onBroken: ({ request }, error) => this.#report(request, error),
      onEnded: (task) => this.#end(task),
    });
  }

  /**
   * Starts the handler of a claimed slot, unless it is too late for that. Whatever the handler does, it is answered.
   * @param now the server's clock
   * @returns the clock again, once the handler lets go of the thread
   */
  start(slot: number, now: number): number {
    const context = this.#context;
    if (!this.#mayStart(slot, now)) {
      this.#complete(slot, 0);
      return now;
    }
    const { i32 } = context.core;
    const word = slotAddress(context.plan, slot) >> 2;
    context.times.recordQueue(elapsedUs(now, i32[word + (SLOT_SUBMITTED_AT_OFFSET >> 2)]));
    const number = i32[word + (SLOT_ROUTE_OFFSET >> 2)];
    const { handler, writer, compress } = context.app.route(number);
    const request = new SlotRequest(context, slot);
    const response = new SlotResponse(request, compress === undefined ? context.compress : compress.rules, (one) =>
      this.#responder.openWriter(slot, request, one),
    );
    const task: Task = { slot, startedAt: now, request, response, writer };
    this.inFlight++;
    context.counters.add(COUNTER_STARTED_OFFSET, 1);
    if (number === NOT_FOUND_ROUTE) response.statusCode = 404;
    try {
      const result = handler(request, response);
      if (isThenable(result)) this.#settleLater(task, result);
      else this.#succeed(task, result);
    } catch (error) {
      this.#fail(task, error);
    }
    return request.finished ? this.#settledAt : context.clock.nowUs();
  }

  /** Nobody has revoked it, and it has not waited for too long. Both in one word, which the HTTP thread changes too. */
  #mayStart(slot: number, now: number): boolean {
    const { core, plan } = this.#context;
    const word = slotAddress(plan, slot) >> 2;
    const deadline = core.i32[word + (SLOT_QUEUE_DEADLINE_OFFSET >> 2)];
    // 32 bits are wide enough: the HTTP thread takes a late request back long before the difference wraps.
    if (deadline !== 0 && ((now - deadline) | 0) >= 0) {
      core.i32[word + (SLOT_FLAGS_OFFSET >> 2)] |= SLOT_EXPIRED_FLAG;
      return false;
    }
    const started = word + (SLOT_STARTED_AT_OFFSET >> 2);
    // Odd, so that no time is one of the other values.
    return Atomics.compareExchange(core.i32, started, SLOT_NO_START, now | 1) === SLOT_NO_START;
  }

  /** Only native promises are sure to settle once and to call nothing back at once. */
  #settleLater(task: Task, result: PromiseLike<unknown>): void {
    Promise.resolve(result).then(
      (value) => this.#succeed(task, value),
      (error) => this.#fail(task, error),
    );
  }

  #succeed(task: Task, value: unknown): void {
    const { slot, request, response, writer } = task;
    if (request.finished) return;
    try {
      const stream = this.#responder.respond(slot, request, response, value, writer);
      if (stream !== undefined) return this.#streams.start(task, stream);
    } catch (error) {
      this.#fail(task, error);
      return;
    }
    this.#finish(task);
  }

  #fail(task: Task, error: unknown): void {
    if (task.request.finished) return;
    const { errorHandler } = this.#context.app;
    if (errorHandler === undefined || task.failed === true) return this.#failPlainly(task, error);
    // What the error handler gives is no value of the route's schema; and it has one try.
    task.failed = true;
    task.writer = undefined;
    task.response.reset(500);
    try {
      const result = errorHandler(error, task.request, task.response);
      if (isThenable(result)) this.#settleLater(task, result);
      else this.#succeed(task, result);
    } catch (second) {
      this.#failPlainly(task, second);
    }
  }

  /** The answer that says no more than that it failed; what failed goes to the log. */
  #failPlainly(task: Task, error: unknown): void {
    const { slot, request, response } = task;
    const isClients = error instanceof LoopShardError && CLIENTS_FAULTS.includes(error.code);
    response.reset(isClients ? 400 : 500);
    const body = isClients
      ? { statusCode: 400, code: error.code, message: error.message }
      : { statusCode: 500, code: 'HANDLER_FAILED', message: 'The handler failed; the server has logged why.' };
    if (!isClients) this.#report(request, error);
    this.#responder.respond(slot, request, response, body, undefined);
    this.#finish(task);
  }

  #finish({ slot, startedAt, request }: Task): void {
    const { clock, times } = this.#context;
    this.#settledAt = clock.nowUs();
    const handlerUs = Math.max(1, this.#settledAt - startedAt);
    // How long a client takes to send its body says nothing about how long handlers take.
    const isSample = !request.isBodyStreamed;
    times.recordHandler(handlerUs);
    request.finish();
    this.inFlight--;
    this.#complete(slot, isSample ? handlerUs : 0);
  }

  /** A stream is over. How long it took says nothing about how long handlers take. */
  #end({ slot, request }: StreamedTask): void {
    request.finish();
    this.inFlight--;
    this.#complete(slot, 0);
  }

  #report(request: SlotRequest, error: unknown): void {
    const { id, method, target } = request;
    const report: ShardReport = {
      type: 'failure',
      message: `${method} ${target} failed`,
      error: describe(error),
      request: { id, method, target },
    };
    this.#context.control.postMessage(report);
  }
}

/** A request in the hands of its handler. */
interface Task extends StreamedTask {
  writer: CompiledWriter | undefined;
  /** Its handler has failed, and the error handler has been called. */
  failed?: boolean;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
