import { SLOT_NO_START } from '../../../assembly/layout.js';
import type { HttpSide } from '../../contract/http-side.js';
import type { Logger } from '../../options/logger.js';
import { METHODS } from '../../options/methods.js';
import { isSaneId } from '../../options/request-id.js';
import type { Exchange } from '../exchange.js';
import type { RequestInHand } from '../parser/request-in-hand.js';

/** What is known of a request until it is answered. */
interface Entry {
  method: string | null;
  target: string | null;
  since: number;
  /** What the client calls its request, if requests are named by a field and that is a name. */
  sentId?: string | undefined;
  /** Of the request in whose place another exchange answers. */
  id?: string | undefined;
}

const STATUS_OFFSET = 'HTTP/1.1 '.length;
const DIGITS = 3;

/**
 * A line for each answer, when it is handed to the socket: `method` and `target` (`null` for what could not be read as a
 * request), `status`, `bytes` of head and body, `durationMs` since the last byte of the request, or of its head if the body is
 * streamed, and `id`, the one that the handler has seen (`undefined` if no handler was started). A stream's line comes with its
 * first chunks, and counts those. HTTP thread only.
 */
export class AccessLog {
  readonly #logger: Pick<Logger, 'info'>;
  readonly #idField: string | undefined;
  readonly #side: HttpSide;
  /** Exchanges of slots live as long as the server; what their last request was is written over by the next. */
  readonly #entries = new WeakMap<Exchange, Entry>();

  /** @param idField the field by which requests are named, in lower case, if they are */
  constructor(logger: Pick<Logger, 'info'>, idField: string | undefined, side: HttpSide) {
    this.#logger = logger;
    this.#idField = idField;
    this.#side = side;
  }

  admitted(exchange: Exchange, request: RequestInHand): void {
    const { method, target } = request;
    const sentId = this.#idField === undefined ? undefined : request.list(this.#idField);
    this.#entries.set(exchange, { method: METHODS[method], target, since: performance.now(), sentId });
  }

  refused(exchange: Exchange): void {
    this.#entries.set(exchange, { method: null, target: null, since: performance.now() });
  }

  /** Another exchange answers in its place. */
  replaced(exchange: Exchange, instead: Exchange): void {
    const entry = this.#entries.get(exchange)!;
    this.#entries.set(instead, { ...entry, id: this.#id(exchange, entry) });
  }

  answered(exchange: Exchange): void {
    const { bytes } = exchange;
    const entry = this.#entries.get(exchange)!;
    const { method, target, since } = entry;
    const details = {
      id: entry.id ?? this.#id(exchange, entry),
      method,
      target,
      status: Number(bytes!.latin1Slice(STATUS_OFFSET, STATUS_OFFSET + DIGITS)),
      bytes: bytes!.length,
      durationMs: Math.round((performance.now() - since) * 1_000) / 1_000,
    };
    this.#logger.info(details, 'request answered');
  }

  /** What the handler has seen as `req.id`, if one was started. */
  #id(exchange: Exchange, { sentId }: Entry): string | undefined {
    const shard = this.#runner(exchange);
    if (shard < 0) return undefined;
    if (this.#idField === undefined) return `${shard.toString(36)}-${(exchange.sequence >>> 0).toString(36)}`;
    if (isSaneId(sentId)) return sentId;
    // The shard has made the id up, and only its response has it.
    return exchange.ready || exchange.stream !== undefined ? this.#named(exchange) : undefined;
  }

  /** The shard that has started the handler, or -1. Another one may have claimed the request than it was submitted to. */
  #runner({ slot, ranOn }: Exchange): number {
    if (slot < 0) return -1;
    if (this.#side.startedAt(slot) === SLOT_NO_START) return -1;
    if (ranOn >= 0) return ranOn;
    // A stream is logged when it begins, or while its slot is on the way back.
    return Math.max(this.#side.heldBy(slot), this.#side.completedBy(slot));
  }

  /** What the handler's response says that its request is called. */
  #named({ bytes, headBytes }: Exchange): string | undefined {
    const head = bytes!.latin1Slice(0, headBytes);
    const at = head.indexOf(`\r\n${this.#idField}: `);
    if (at < 0 || this.#idField === undefined) return undefined;
    const start = at + this.#idField.length + '\r\n: '.length;
    return head.slice(start, head.indexOf('\r\n', start));
  }
}
