import type { Socket } from 'node:net';
import { NO_EXTENT } from '../../../assembly/layout.js';
import type { Exchange, StreamedAnswer } from '../exchange.js';
import type { AccessLog } from './access-log.js';

/** What becomes of exchanges whose answers have left, or will not. */
export interface OutputHost {
  readonly draining: boolean;
  readonly accessLog: AccessLog | undefined;
  /** The answer has left: its slot is free again. */
  release(exchange: Exchange): void;
  /** Others wait for extents. */
  readonly isPressed: boolean;
  /** Copies the response into private memory and gives its extent back. `false` if such copies take too much already. */
  detach(exchange: Exchange): boolean;
  /** The client has sent its last byte, and may be gone. */
  announceAbort(exchange: Exchange): void;
  /** The connection is closed: nobody waits for the answer any more. */
  abandon(exchange: Exchange): void;
}

const CLOSE_LINE = Buffer.from('connection: close\r\n');
const KEEP_ALIVE_LINE = Buffer.from('connection: keep-alive\r\n');
const LINE_END = '\r\n';
const EMPTY = Buffer.alloc(0);
const EMPTY_LINE_BYTES = 2;
/** Bytes of a response that is copied to have a field put in between. */
const COPIED_BYTES = 16_384;

/** The answers of one connection, in the order of their requests, until the kernel has them. HTTP thread only. */
export class Output {
  /** Requests whose answers have not been handed to the socket, oldest first. */
  first: Exchange | undefined;
  /** Requests in hand: those, and those whose answers the socket still holds. */
  outstanding = 0;
  /** Bytes that their answers will take, by what answers of their routes took lately. */
  promisedBytes = 0;
  readonly #host: OutputHost;
  readonly #socket: Socket;
  readonly #onFlushed: () => void;
  #last: Exchange | undefined;
  /** Handed to the socket, not yet taken by the kernel: the socket refers to their slots. */
  #unflushed: Exchange[] = [];
  #flushAnnounced = false;

  /** @param onFlushed called when the kernel has what it had not taken at once */
  constructor(host: OutputHost, socket: Socket, onFlushed: () => void) {
    this.#host = host;
    this.#socket = socket;
    this.#onFlushed = onFlushed;
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
   * A response is here: from now on it counts by the bytes that it has.
   * @returns `false` if there is no memory for it until its turn comes
   */
  arrived(exchange: Exchange): boolean {
    const { length } = exchange.bytes!;
    this.promisedBytes += length - exchange.promisedBytes;
    exchange.promisedBytes = length;
    return exchange.extent === NO_EXTENT || !this.#host.isPressed || this.#makeRoom(exchange);
  }

  /**
   * Moves responses whose turn has not come out of the extents that others wait for: the response before them may be among
   * those (docs/model.md).
   * @returns `false` if there is no memory for them
   */
  makeRoom(): boolean {
    for (let exchange = this.first; exchange !== undefined; exchange = exchange.next) {
      if (exchange.ready && exchange.extent !== NO_EXTENT && !this.#makeRoom(exchange)) return false;
    }
    return true;
  }

  #makeRoom(exchange: Exchange): boolean {
    const isNext = exchange === this.first && this.#socket.writableLength === 0;
    return isNext || this.#host.detach(exchange);
  }

  /** The connection ends behind the answers that are owed. `false` if none is. */
  closeBehindLast(): boolean {
    if (this.#last === undefined) return false;
    this.#last.close = true;
    return true;
  }

  /** Has another exchange answer in the place of one that is not ready. */
  replace(exchange: Exchange, instead: Exchange): void {
    instead.close = exchange.close;
    instead.sayKeepAlive = exchange.sayKeepAlive;
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
   * Hands to the socket every answer whose turn has come; the first one's has. A response in an extent waits until the kernel
   * has taken all before it, so that a client that does not read holds one extent.
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

  /** Hands to the socket what there is of the first answer, which is a stream; all of it unless that one is `broken`. */
  sendStream(exchange: Exchange, stream: StreamedAnswer): void {
    if (!stream.begun) {
      stream.begun = true;
      if (exchange.next === undefined && this.#host.draining) exchange.close = true;
      this.#send(exchange);
    }
    const bytes = stream.writeTo(this.#socket);
    if (exchange.entry !== undefined) exchange.entry.bytes += bytes;
    if (!exchange.ready || stream.last === 'broken') return;
    this.first = exchange.next;
    if (this.first === undefined) this.#last = undefined;
    this.#unflushed.push(exchange);
    this.#releaseFlushed();
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
    } while (mayJoin(exchange));
    this.#socket.uncork();
    this.#releaseFlushed();
  }

  #send(exchange: Exchange): void {
    const socket = this.#socket;
    if (this.first === undefined && this.#host.draining) exchange.close = true;
    let sent = exchange.bytes!.length;
    if (exchange.close || exchange.sayKeepAlive) sent = this.#sendWithField(exchange);
    else socket.write(exchange.bytes!);
    if (this.#host.accessLog !== undefined) this.#host.accessLog.answered(exchange, sent);
  }

  /** Rare, so the field is put in between, or in the place of what the head says of the connection, and not left room for. Returns how many bytes were written. */
  #sendWithField(exchange: Exchange): number {
    const bytes = exchange.bytes!;
    const socket = this.#socket;
    const said = bytes.subarray(0, exchange.headBytes).indexOf(KEEP_ALIVE_LINE);
    if (said >= 0 && !exchange.close) {
      socket.write(bytes);
      return bytes.length;
    }
    const start = said >= 0 ? said : exchange.headBytes - EMPTY_LINE_BYTES;
    // The field keep-alive follows.
    const end = said >= 0 ? bytes.indexOf(LINE_END, said + KEEP_ALIVE_LINE.length) + LINE_END.length : start;
    const parts = [bytes.subarray(0, start), exchange.close ? CLOSE_LINE : KEEP_ALIVE_LINE, bytes.subarray(end)];
    // A copy is cheaper than another call of the system, up to some size.
    if (bytes.length <= COPIED_BYTES) socket.write(Buffer.concat(parts));
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    return parts.reduce((sum, { length }) => sum + length, 0);
  }

  /** Frees the slots that the kernel has a copy of. */
  #releaseFlushed(): void {
    if (this.#unflushed.length === 0) return;
    if (this.#socket.writableLength > 0) this.#announceFlush();
    else this.#releaseUnflushed(this.#unflushed.length);
  }

  /** Asks to be told when what the socket holds now has left; 'drain' comes only above the high-water mark. */
  #announceFlush(): void {
    // Behind the last answer, `end` hears of it.
    if (this.#flushAnnounced || this.#socket.writableEnded) return;
    this.#flushAnnounced = true;
    const count = this.#unflushed.length;
    this.#socket.write(EMPTY, (error) => {
      this.#flushAnnounced = false;
      // After an error, only 'close' says that nothing refers to the slots any more.
      if (error) return;
      this.#releaseUnflushed(count);
      this.#releaseFlushed();
      this.#onFlushed();
    });
  }

  #releaseUnflushed(count: number, aborted = false): void {
    for (const exchange of this.#unflushed.splice(0, count)) this.#release(exchange, aborted);
  }

  #release(exchange: Exchange, aborted = false): void {
    if (this.#host.accessLog !== undefined) this.#host.accessLog.ended(exchange, aborted);
    this.outstanding--;
    this.promisedBytes -= exchange.promisedBytes;
    this.#host.release(exchange);
  }

  /** Sends nothing more: the connection ends behind what the socket holds. */
  end(): void {
    this.#socket.end((error?: Error | null) => {
      // As above.
      if (!error) this.#releaseUnflushed(this.#unflushed.length);
    });
  }

  /** The client says no more, and may be gone: what is not ready may not be wanted. */
  announceAbort(): void {
    for (let exchange = this.first; exchange !== undefined; exchange = exchange.next) {
      this.#host.announceAbort(exchange);
    }
  }

  /** The socket is closed: nothing refers to the slots any more. */
  close(): void {
    this.#releaseUnflushed(this.#unflushed.length, true);
    for (let exchange = this.first; exchange !== undefined; exchange = exchange.next) {
      if (this.#host.accessLog !== undefined) this.#host.accessLog.ended(exchange, true);
      exchange.connection = undefined;
      this.#host.abandon(exchange);
    }
    this.first = undefined;
    this.#last = undefined;
  }
}

/** It can be sent together with what is before it. */
function mayJoin(exchange: Exchange | undefined): exchange is Exchange {
  return exchange?.ready === true && !exchange.isCut && exchange.stream === undefined && exchange.extent === NO_EXTENT;
}
