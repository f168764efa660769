import { METHODS } from '../../contract/messages.js';
import type { Logger } from '../../options/options.js';
import type { Exchange } from '../exchange.js';
import type { RequestInHand } from '../parser/request-in-hand.js';

/** What is known of a request until it is answered. */
interface Entry {
  method: string | null;
  target: string | null;
  since: number;
}

const STATUS_OFFSET = 'HTTP/1.1 '.length;
const DIGITS = 3;

/**
 * A line for each answer, when it is handed to the socket: `method` and `target` (`null` for what could not be read as a
 * request), `status`, `bytes` of head and body, `durationMs` since the last byte of the request, or of its head if the body is
 * streamed, and `id`, the one that the handler has seen (`undefined` if no handler was asked). A stream's line comes with its
 * first chunks, and counts those. HTTP thread only.
 */
export class AccessLog {
  readonly #logger: Logger;
  readonly #idField: string | undefined;
  /** Exchanges of slots live as long as the server; what their last request was is written over by the next. */
  readonly #entries = new WeakMap<Exchange, Entry>();

  /** @param idField the field by which requests are named, if they are */
  constructor(logger: Logger, idField: string | undefined) {
    this.#logger = logger;
    this.#idField = idField;
  }

  admitted(exchange: Exchange, request: RequestInHand): void {
    const { method, target } = request;
    this.#entries.set(exchange, { method: METHODS[method], target, since: performance.now() });
  }

  refused(exchange: Exchange): void {
    this.#entries.set(exchange, { method: null, target: null, since: performance.now() });
  }

  /** Another exchange answers in its place. */
  replaced(exchange: Exchange, instead: Exchange): void {
    this.#entries.set(instead, this.#entries.get(exchange)!);
  }

  answered(exchange: Exchange): void {
    const { slot, shard, sequence, bytes } = exchange;
    const { method, target, since } = this.#entries.get(exchange)!;
    const details = {
      id: this.#named(exchange) ?? (slot < 0 ? undefined : `${shard.toString(36)}-${(sequence >>> 0).toString(36)}`),
      method,
      target,
      status: Number(bytes!.latin1Slice(STATUS_OFFSET, STATUS_OFFSET + DIGITS)),
      bytes: bytes!.length,
      durationMs: Math.round((performance.now() - since) * 1_000) / 1_000,
    };
    this.#logger.info(details, 'request answered');
  }

  /** What the handler's response says that its request is called. */
  #named({ slot, bytes, headBytes }: Exchange): string | undefined {
    if (this.#idField === undefined || slot < 0) return undefined;
    const head = bytes!.latin1Slice(0, headBytes);
    const at = head.indexOf(`\r\n${this.#idField}: `);
    if (at < 0) return undefined;
    const start = at + this.#idField.length + '\r\n: '.length;
    return head.slice(start, head.indexOf('\r\n', start));
  }
}
