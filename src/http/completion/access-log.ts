import { clientOf } from '../../contract/client.js';
import type { Peer } from '../../contract/peer.js';
import type { Logger } from '../../options/logger.js';
import { ALL_METHODS } from '../../options/methods.js';
import type { TrustedProxies } from '../../options/trust-proxy.js';
import type { Exchange, LogEntry } from '../exchange.js';
import type { RequestInHand } from '../parser/request-in-hand.js';
import { sentId } from '../refusals.js';
import { statusOf } from '../status-line.js';

const US_PER_MS = 1_000;

/**
 * Logs a line for each request, when the kernel has the last byte of its response, or when its connection is closed before that:
 *
 * - `method` and `target`; `null` if the request could not be parsed
 * - `status`; `null` if the client disconnected before a response began
 * - `bytes` of head and body that were passed to the socket
 * - `durationMs` since the last byte of the request, or of its head if the body is streamed
 * - `ip`: the client's address, according to trusted proxies
 * - `id`: the one that the handler has seen, or that a rejection has; `undefined` without either
 * - `aborted`: `true` if the response was not sent completely, otherwise absent
 *
 * HTTP thread only.
 */
export class AccessLog {
  readonly #logger: Pick<Logger, 'info'>;
  readonly #idField: string | undefined;
  readonly #trusted: TrustedProxies | undefined;

  /** @param idField the header field with request ids, in lower case, if enabled */
  constructor(logger: Pick<Logger, 'info'>, idField: string | undefined, trusted: TrustedProxies | undefined) {
    this.#logger = logger;
    this.#idField = idField;
    this.#trusted = trusted;
  }

  /** Creates the entry of a request when it is admitted or rejected; `request` is undefined if its head has not arrived. */
  entry(request: RequestInHand | undefined, peer: Peer): LogEntry {
    const header = (name: string) => request?.list(name);
    return {
      method: ALL_METHODS[request?.method ?? -1] ?? null,
      target: request?.target ?? null,
      ip: clientOf(peer, this.#trusted, header).ips[0],
      since: performance.now(),
      sentId: request === undefined || this.#idField === undefined ? undefined : sentId(request, this.#idField),
      id: undefined,
      status: null,
      bytes: 0,
    };
  }

  /** Moves the entry to another exchange that replaces this one. */
  replaced(exchange: Exchange, instead: Exchange): void {
    const entry = exchange.entry!;
    entry.id ??= this.#id(exchange, entry);
    instead.entry = entry;
  }

  /**
   * The head was passed to the socket, with all or the beginning of the body.
   * @param sent bytes
   */
  answered(exchange: Exchange, sent: number): void {
    const entry = exchange.entry!;
    const bytes = exchange.bytes!;
    entry.id ??= this.#id(exchange, entry);
    entry.bytes = sent;
    if (bytes.length > 0) this.said(entry, bytes);
  }

  /** Reads the status from the beginning of the head. */
  said(entry: LogEntry, head: Buffer): void {
    entry.status = statusOf(head);
  }

  /** @param aborted the response was not sent completely, and will not be */
  ended(exchange: Exchange, aborted: boolean): void {
    const entry = exchange.entry!;
    entry.id ??= this.#id(exchange, entry);
    const { id, ip, method, target, status, bytes, since } = entry;
    const durationMs = Math.round((performance.now() - since) * US_PER_MS) / US_PER_MS;
    const details = { id, ip, method, target, status, bytes, durationMs, ...(aborted && { aborted }) };
    this.#logger.info(details, aborted ? 'request aborted' : 'request answered');
  }

  /** The id that the handler has seen as `req.id`, if it was started; otherwise the id in the response. */
  #id(exchange: Exchange, { sentId: sent }: LogEntry): string | undefined {
    if (this.#idField !== undefined) return sent ?? this.#named(exchange);
    const shard = exchange.owner?.runner(exchange) ?? -1;
    return shard < 0 ? undefined : `${shard.toString(36)}-${(exchange.sequence >>> 0).toString(36)}`;
  }

  /** The request id in the response. */
  #named({ bytes, headBytes, ready, stream }: Exchange): string | undefined {
    if (!ready && stream === undefined) return undefined;
    const head = bytes!.latin1Slice(0, headBytes || bytes!.length);
    const at = head.indexOf(`\r\n${this.#idField}: `);
    if (at < 0 || this.#idField === undefined) return undefined;
    const start = at + this.#idField.length + '\r\n: '.length;
    return head.slice(start, head.indexOf('\r\n', start));
  }
}
