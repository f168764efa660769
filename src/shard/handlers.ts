import { SLOT_ROUTE_OFFSET } from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import type { CompiledWriter } from '../json/compile.js';
import { slotAddress } from '../pool/plan.js';
import { NOT_FOUND_ROUTE, type ShardReport } from '../protocol.js';
import type { ShardContext } from './context.js';
import { describe } from './describe.js';
import { SlotRequest } from './request.js';
import { Responder } from './responder.js';
import { SlotResponse } from './response.js';

/** Starts handlers and turns what becomes of them into responses: each on its own, none waits for another. Shard. */
export class Handlers {
  /** Handlers that were started and have not settled. */
  inFlight = 0;
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #complete: (slot: number) => void;

  /** @param complete called with each slot whose response is written */
  constructor(context: ShardContext, complete: (slot: number) => void) {
    this.#context = context;
    this.#responder = new Responder(context);
    this.#complete = complete;
  }

  /** Starts the handler of a claimed slot. Whatever the handler does, it is answered. */
  start(slot: number): void {
    const context = this.#context;
    const number = context.core.i32[(slotAddress(context.plan, slot) + SLOT_ROUTE_OFFSET) >> 2];
    const { handler, writer } = context.app.route(number);
    const request = new SlotRequest(context, slot);
    const response = new SlotResponse((one) => this.#responder.openWriter(slot, request, one));
    const task: Task = { slot, request, response, writer };
    this.inFlight++;
    if (number === NOT_FOUND_ROUTE) response.statusCode = 404;
    try {
      const result = handler(request, response);
      if (isThenable(result)) this.#settleLater(task, result);
      else this.#succeed(task, result);
    } catch (error) {
      this.#fail(task, error);
    }
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
      this.#responder.respond(slot, request, response, value, writer);
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
    const isClients = error instanceof LoopShardError && error.code === 'BODY_INVALID';
    response.reset(isClients ? 400 : 500);
    const body = isClients
      ? { statusCode: 400, code: error.code, message: error.message }
      : { statusCode: 500, code: 'HANDLER_FAILED', message: 'The handler failed; the server has logged why.' };
    if (!isClients) this.#report(request, error);
    this.#responder.respond(slot, request, response, body, undefined);
    this.#finish(task);
  }

  #finish({ slot, request }: Task): void {
    request.finish();
    this.inFlight--;
    this.#complete(slot);
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
interface Task {
  slot: number;
  request: SlotRequest;
  response: SlotResponse;
  writer: CompiledWriter | undefined;
  /** Its handler has failed, and the error handler has been called. */
  failed?: boolean;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
