import type { Socket } from 'node:net';
import { NO_EXTENT } from '../../../assembly/layout.js';
import { type Exchange, REPORTED, type ResponseCounter, type StreamedAnswer } from '../exchange.js';
import type { HttpCounts } from '../http-counts.js';
import { statusOf } from '../status-line.js';
import type { AccessLog } from './access-log.js';

/** What the output of a connection needs from the HTTP thread. */
export interface OutputHost {
  readonly draining: boolean;
  readonly accessLog: AccessLog | undefined;
  /** Set if metrics are enabled. */
  readonly counts: HttpCounts | undefined;
  /** Counts responses to requests that could not be parsed. */
  readonly unparsed: ResponseCounter | undefined;
  /** Whether others wait for extents. */
  readonly isPressed: boolean;
}

/** The connection of an output. */
export interface FlushReceiver {
  /** The kernel has taken data that it had not taken immediately. */
  onFlushed(): void;
}

const CLOSE_LINE = Buffer.from('connection: close\r\n');
const KEEP_ALIVE_LINE = Buffer.from('connection: keep-alive\r\n');
const LINE_FEED = 0x0a;
const LINE_END = '\r\n';
const EMPTY = Buffer.alloc(0);
const HEAD_END = Buffer.from('\r\n\r\n');
/** The connection field of a head, and a field keep-alive that follows it. */
const CONNECTION = /\r\n(connection): *([^\r\n]*)(?:\r\nkeep-alive: *[^\r\n]*)?/i;
const EMPTY_LINE_BYTES = 2;
/** Maximum size of a response that is copied to insert a field. */
const COPIED_BYTES = 16_384;

/** The responses of one connection, in the order of their requests, until the kernel has them. HTTP thread only. */
export class Output {
  /** Requests whose responses were not passed to the socket yet, oldest first. */
  first: Exchange | undefined;
  /** Number of requests in flight: those, and those whose responses the socket still holds. */
  outstanding = 0;
  /** Expected size of their responses in bytes, by recent responses of their routes. */
  promisedBytes = 0;
  /** Whether the last response was passed to the socket, at least its head: it closes the connection. */
  isClosing = false;
  readonly #host: OutputHost;
  readonly #socket: Socket;
  readonly #receiver: FlushReceiver;
  #last: Exchange | undefined;
  /** Passed to the socket but not taken by the kernel: the socket refers to their slots. */
  #unflushed: Exchange[] = [];
  #flushAnnounced = false;

  constructor(host: OutputHost, socket: Socket, receiver: FlushReceiver) {
    this.#host = host;
    this.#socket = socket;
    this.#receiver = receiver;
  }

  append(exchange: Exchange): void {
    this.outstanding++;
    exchange.promisedBytes = exchange.route?.responseBytes ?? 0;
    this.promisedBytes += exchange.promisedBytes;
    if (this.#last === undefined) this.first = exchange;
    else this.#last.next = exchange;
    this.#last = exchange;
  }

  /**
   * Records that a response has arrived: from now on its actual size counts.
   * @returns `false` if no memory is available to keep it until its turn
   */
  arrived(exchange: Exchange): boolean {
    const { length } = exchange.bytes!;
    this.promisedBytes += length - exchange.promisedBytes;
    exchange.promisedBytes = length;
    return exchange.extent === NO_EXTENT || !this.#host.isPressed || this.#makeRoom(exchange);
  }

  /**
   * Moves responses whose turn has not come out of extents for which others wait, because an earlier response of this connection may be
   * among those (docs/model.md).
   * @returns `false` if no memory is available for them
   */
  makeRoom(): boolean {
    for (let exchange = this.first; exchange !== undefined; exchange = exchange.next) {
      if (exchange.ready && exchange.extent !== NO_EXTENT && !this.#makeRoom(exchange)) return false;
    }
    return true;
  }

  #makeRoom(exchange: Exchange): boolean {
    const isNext = exchange === this.first && this.#socket.writableLength === 0;
    return isNext || exchange.owner!.detach(exchange);
  }

  /** Closes the connection after the pending responses. `false` if none is pending. */
  closeBehindLast(): boolean {
    if (this.#last === undefined) return false;
    this.#last.close = true;
    return true;
  }

  /** Replaces an exchange that is not ready by another one. */
  replace(exchange: Exchange, instead: Exchange): void {
    instead.close = exchange.close;
    instead.sayKeepAlive = exchange.sayKeepAlive;
    instead.counter = exchange.counter;
    instead.next = exchange.next;
    instead.promisedBytes = exchange.promisedBytes;
    if (this.#last === exchange) this.#last = instead;
    if (this.first === exchange) {
      this.first = instead;
      return;
    }
    let before = this.first!;
    while (before.next !== exchange) before = before.next!;
    before.next = instead;
  }

  /**
   * Passes every response whose turn has come to the socket, beginning with the first. A response in an extent waits until the kernel has
   * taken everything before it, so that a client that does not read holds one extent.
   * @returns `false` if the first one waits for that
   */
  sendReady(): boolean {
    const exchange = this.first!;
    if (exchange.extent !== NO_EXTENT && this.#socket.writableLength > 0) {
      this.#announceFlush();
      return false;
    }
    if (mayJoin(exchange.next)) this.#sendSeveral();
    else this.#sendFirst(exchange);
    if (this.first === undefined) this.#last = undefined;
    return true;
  }

  /** Passes the available part of the first response, a stream, to the socket; nothing more follows if it is `broken`. */
  sendStream(exchange: Exchange, stream: StreamedAnswer): void {
    if (!stream.begun) {
      stream.begun = true;
      if (stream.isUpgrade) this.#sendUpgrade(exchange, stream);
      else {
        stream.status = statusOf(exchange.bytes!);
        if (exchange.next === undefined && this.#host.draining) exchange.close = true;
        this.#send(exchange);
      }
    }
    if (stream.isUpgrade && stream.status === undefined && stream.waiting !== undefined)
      this.#noteStatus(exchange, stream, stream.waiting);
    const bytes = stream.writeTo(this.#socket);
    if (exchange.entry !== undefined) exchange.entry.bytes += bytes;
    this.#host.counts?.sent(bytes);
    if (!exchange.ready || stream.last === 'broken') return;
    this.first = exchange.next;
    if (this.first === undefined) this.#last = undefined;
    this.#unflushed.push(exchange);
    this.#releaseFlushed();
  }

  /** Passes the interim responses of the first request to the socket. */
  sendInterim(exchange: Exchange): void {
    this.#socket.write(exchange.interim!);
    exchange.interim = undefined;
  }

  #sendFirst(exchange: Exchange): void {
    this.first = exchange.next;
    this.#send(exchange);
    if (this.#socket.writableLength === 0 && this.#unflushed.length === 0) this.#release(exchange);
    else {
      this.#unflushed.push(exchange);
      this.#releaseFlushed();
    }
  }

  #sendSeveral(): void {
    this.#socket.cork();
    let exchange = this.first;
    do {
      this.first = exchange!.next;
      this.#send(exchange!);
      this.#unflushed.push(exchange!);
      exchange = this.first;
    } while (!this.isClosing && mayJoin(exchange));
    this.#socket.uncork();
    this.#releaseFlushed();
  }

  #send(exchange: Exchange): void {
    const socket = this.#socket;
    if (this.first === undefined && this.#host.draining) exchange.close = true;
    let sent = exchange.bytes!.length;
    if (exchange.close) this.isClosing = true;
    if (exchange.close || exchange.sayKeepAlive) sent = this.#sendWithField(exchange);
    else socket.write(exchange.bytes!);
    if (this.#host.accessLog !== undefined) this.#host.accessLog.answered(exchange, sent);
    if (this.#host.counts !== undefined) {
      this.#host.counts.sent(sent);
      (exchange.counter ?? this.#host.unparsed)?.count(exchange.bytes!);
    }
  }

  /** What the app has written as the beginning of its response to an upgrade, which may be nothing, is sent as it is. */
  #sendUpgrade(exchange: Exchange, stream: StreamedAnswer): void {
    const bytes = exchange.bytes!;
    if (exchange.entry !== undefined) this.#host.accessLog!.answered(exchange, bytes.length);
    if (bytes.length === 0) return;
    this.#socket.write(bytes);
    this.#host.counts?.sent(bytes.length);
    this.#noteStatus(exchange, stream, bytes);
  }

  /** Notes the status of the response to an upgrade, once the app has written the first bytes of it. */
  #noteStatus(exchange: Exchange, stream: StreamedAnswer, head: Buffer): void {
    const { entry, counter, observed } = exchange;
    stream.status = statusOf(head);
    if (entry !== undefined) this.#host.accessLog!.said(entry, head);
    counter?.count(head);
    if (observed === undefined) return;
    observed.ended(stream.status, false);
    exchange.observed = REPORTED;
  }

  /** Inserts or replaces the connection field. Rare, so the head leaves no room for it. Returns the bytes written. */
  #sendWithField(exchange: Exchange): number {
    if (exchange.headBytes === 0) return this.#sendFormed(exchange);
    const bytes = exchange.bytes!;
    const socket = this.#socket;
    const said = findKeepAlive(bytes, exchange.headBytes);
    if (said >= 0 && !exchange.close) {
      socket.write(bytes);
      return bytes.length;
    }
    const start = said >= 0 ? said : exchange.headBytes - EMPTY_LINE_BYTES;
    // The field keep-alive follows.
    const end = said >= 0 ? bytes.indexOf(LINE_END, said + KEEP_ALIVE_LINE.length) + LINE_END.length : start;
    const line = exchange.close ? CLOSE_LINE : KEEP_ALIVE_LINE;
    const surplus = end - start - line.length;
    // In place, unless the bytes are shared: a fixed answer of the HTTP thread goes to several clients, sometimes instead of a shard's response.
    // The status can still be read where it was.
    if (surplus >= 0 && exchange.slot >= 0 && !exchange.isPrivate) {
      bytes.copyWithin(surplus, 0, start);
      bytes.set(line, surplus + start);
      socket.write(bytes.subarray(surplus));
      return bytes.length - surplus;
    }
    const parts = [bytes.subarray(0, start), line, bytes.subarray(end)];
    // Up to some size, a copy is cheaper than another system call.
    if (bytes.length <= COPIED_BYTES) socket.write(Buffer.concat(parts));
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    return parts.reduce((sum, { length }) => sum + length, 0);
  }

  /** The same for a head that the app has formed, with names in any case. */
  #sendFormed({ bytes, close }: Exchange): number {
    const headEnd = bytes!.indexOf(HEAD_END);
    const head = bytes!.latin1Slice(0, headEnd);
    const said = CONNECTION.exec(head);
    const [line = '', name = 'connection', options = ''] = said ?? [];
    if (headEnd < 0 || (said !== null && (!close || /\bclose\b/i.test(options)))) {
      this.#socket.write(bytes!);
      return bytes!.length;
    }
    const wanted = `\r\n${name}: ${close ? 'close' : 'keep-alive'}`;
    const changed = said === null ? head + wanted : head.replace(line, () => wanted);
    this.#socket.cork();
    this.#socket.write(changed, 'latin1');
    this.#socket.write(bytes!.subarray(headEnd));
    this.#socket.uncork();
    return changed.length + bytes!.length - headEnd;
  }

  /** Frees the slots whose bytes the kernel has copied. */
  #releaseFlushed(): void {
    if (this.#unflushed.length === 0) return;
    if (this.#socket.writableLength > 0) this.#announceFlush();
    else this.#releaseUnflushed(this.#unflushed.length);
  }

  /** Requests a notification when everything that the socket holds now was sent; 'drain' is emitted only above the high-water mark. */
  #announceFlush(): void {
    // After the last response, `end` is notified.
    if (this.#flushAnnounced || this.#socket.writableEnded) return;
    this.#flushAnnounced = true;
    const count = this.#unflushed.length;
    this.#socket.write(EMPTY, (error) => {
      this.#flushAnnounced = false;
      // After an error, the slots are referenced until 'close'.
      if (error) return;
      this.#releaseUnflushed(count);
      this.#releaseFlushed();
      this.#receiver.onFlushed();
    });
  }

  #releaseUnflushed(count: number, aborted = false): void {
    for (const exchange of this.#unflushed.splice(0, count)) this.#release(exchange, aborted);
  }

  #release(exchange: Exchange, aborted = false): void {
    if (this.#host.accessLog !== undefined) this.#host.accessLog.ended(exchange, aborted);
    if (aborted) this.#host.counts?.aborted();
    if (exchange.observed !== undefined) exchange.observed.ended(statusOfSent(exchange), aborted);
    this.outstanding--;
    this.promisedBytes -= exchange.promisedBytes;
    exchange.owner?.release(exchange);
  }

  /** Sends nothing more: closes the connection after what the socket holds. */
  end(): void {
    this.#socket.end((error?: Error | null) => {
      // Same as above.
      if (!error) this.#releaseUnflushed(this.#unflushed.length);
    });
  }

  /**
   * The client has sent its last byte and may have disconnected: pending responses may no longer be needed.
   * @param ofAll whether requests are aborted on routes that do not ask for it
   */
  announceAbort(ofAll: boolean): void {
    for (let exchange = this.first; exchange !== undefined; exchange = exchange.next) {
      if (ofAll || exchange.route?.abortsOnHalfClose === true) exchange.owner?.announceAbort(exchange);
    }
  }

  /** The socket is closed: nothing references the slots any more. */
  close(): void {
    this.#releaseUnflushed(this.#unflushed.length, true);
    for (let exchange = this.first; exchange !== undefined; exchange = exchange.next) {
      const { stream } = exchange;
      // The end of a connection that was taken over is as good as any.
      const aborted = stream?.isUpgrade !== true || stream.status === undefined;
      if (this.#host.accessLog !== undefined) this.#host.accessLog.ended(exchange, aborted);
      if (aborted) this.#host.counts?.aborted();
      exchange.observed?.ended(stream?.status ?? 0, aborted);
      exchange.connection = undefined;
      exchange.owner?.abandon(exchange);
    }
    this.first = undefined;
    this.#last = undefined;
  }
}

/** The status of a response whose head was passed to the socket. */
function statusOfSent({ stream, bytes }: Exchange): number {
  return stream?.status ?? statusOf(bytes!);
}

/** Returns where the line KEEP_ALIVE_LINE begins in a head; -1 if the head has none. */
function findKeepAlive(bytes: Buffer, headBytes: number): number {
  // Creating a view costs more than searching a short body.
  const head = bytes.length > COPIED_BYTES ? bytes.subarray(0, headBytes) : bytes;
  let at = head.indexOf(KEEP_ALIVE_LINE);
  while (at > 0 && head[at - 1] !== LINE_FEED) at = head.indexOf(KEEP_ALIVE_LINE, at + 1);
  return at < headBytes ? at : -1;
}

/** Whether it can be sent together with the previous response. */
function mayJoin(exchange: Exchange | undefined): exchange is Exchange {
  return (
    exchange?.ready === true &&
    !exchange.isCut &&
    exchange.interim === undefined &&
    exchange.stream === undefined &&
    exchange.extent === NO_EXTENT
  );
}
