import { SLOT_ROUTE_OFFSET } from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import type { CompiledWriter } from '../json/compile.js';
import { NOT_FOUND_ROUTE, type ShardReport } from '../protocol.js';
import { type ShardContext, slotAddress } from './context.js';
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

  /** Starts the handler of a claimed slot. Never throws. */
  start(slot: number): void {
    const context = this.#context;
    const number = context.core.i32[(slotAddress(context.plan, slot) + SLOT_ROUTE_OFFSET) >> 2];
    const { handler, writer } = context.app.route(number);
    const request = new SlotRequest(context, slot);
    const response = new SlotResponse((one) => this.#responder.openWriter(slot, request, one));
    this.inFlight++;
    if (number === NOT_FOUND_ROUTE) response.statusCode = 404;
    let result: unknown;
    try {
      result = handler(request, response);
    } catch (error) {
      return this.#fail(slot, request, response, error);
    }
    if (!isPromise(result)) return this.#succeed(slot, request, response, result, writer);
    result.then(
      (value) => this.#succeed(slot, request, response, value, writer),
      (error) => this.#fail(slot, request, response, error),
    );
  }

  #succeed(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    value: unknown,
    writer: CompiledWriter | undefined,
  ): void {
    try {
      this.#responder.respond(slot, request, response, value, writer);
    } catch (error) {
      return this.#fail(slot, request, response, error);
    }
    this.#finish(slot, request);
  }

  #fail(slot: number, request: SlotRequest, response: SlotResponse, error: unknown): void {
    const { errorHandler } = this.#context.app;
    if (errorHandler === undefined) return this.#failPlainly(slot, request, response, error);
    response.reset(500);
    let result: unknown;
    try {
      result = errorHandler(error, request, response);
      if (!isPromise(result)) {
        this.#responder.respond(slot, request, response, result, undefined);
        return this.#finish(slot, request);
      }
    } catch (second) {
      return this.#failPlainly(slot, request, response, second);
    }
    result
      .then((value) => this.#responder.respond(slot, request, response, value, undefined))
      .then(
        () => this.#finish(slot, request),
        (second) => this.#failPlainly(slot, request, response, second),
      );
  }

  /** The answer that says no more than that it failed; what failed goes to the log. */
  #failPlainly(slot: number, request: SlotRequest, response: SlotResponse, error: unknown): void {
    const isClients = error instanceof LoopShardError && error.code === 'BODY_INVALID';
    response.reset(isClients ? 400 : 500);
    const body = isClients
      ? { statusCode: 400, code: error.code, message: error.message }
      : { statusCode: 500, code: 'HANDLER_FAILED', message: 'The handler failed; the server has logged why.' };
    if (!isClients) this.#report(request, error);
    this.#responder.respond(slot, request, response, body, undefined);
    this.#finish(slot, request);
  }

  #finish(slot: number, request: SlotRequest): void {
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

/** An error in plain strings: errors lose their codes when they are cloned. */
export function describe(error: unknown): { name: string; message: string; stack: string; code?: string } {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: String(error) };
  const { name, message } = error;
  const described = { name, message, stack: error.stack ?? `${name}: ${message}` };
  return 'code' in error ? { ...described, code: String(error.code) } : described;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
