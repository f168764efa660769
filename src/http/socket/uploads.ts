import { BODY_WINDOW_BYTES } from '../../contract/messages.js';
import type { Exchange } from '../exchange.js';
import { CHUNK_BYTES } from '../parser/llhttp.js';
import { RequestStream, type StreamedBody, type Untaken } from './request-stream.js';

/** The streamed bodies of one connection. HTTP thread. */
export class Uploads {
  /** The body that is arriving. */
  current: RequestStream | undefined;
  /** Bytes of all of them. */
  received = 0;
  /** Whether the socket is paused because too much is buffered. */
  isHeld = false;
  readonly #untaken: Untaken = { bytes: 0 };

  /** Whether another read could exceed the window. */
  get isFull(): boolean {
    return this.#untaken.bytes > BODY_WINDOW_BYTES - CHUNK_BYTES;
  }

  /** Decides whether to pause the socket. */
  hold(): boolean {
    this.isHeld = this.isFull;
    return this.isHeld;
  }

  /** Whether the server has to act: continue reading, or send `100 Continue`. */
  get isWaiting(): boolean {
    return this.isHeld || this.current?.expectsContinue === true;
  }

  create(exchange: Exchange, body: StreamedBody): RequestStream {
    return new RequestStream(exchange, this.#untaken, body);
  }

  begin(exchange: Exchange, body: StreamedBody): void {
    this.current = this.create(exchange, body);
    exchange.upload = this.current;
    if (exchange.ready) this.current.close();
  }

  add(memory: Buffer, at: number, bytes: number, end: number): void {
    this.received += bytes;
    this.current!.add(memory, at, bytes, end);
  }

  /**
   * Ends the body that is arriving, and returns it.
   * @param trailers names and values of the trailer fields, one after the other
   */
  end(trailers: string[]): RequestStream {
    const upload = this.current!;
    upload.end(trailers);
    this.current = undefined;
    return upload;
  }

  /** Closes the body when another exchange replaces one whose handler may still be reading. */
  replace(exchange: Exchange, instead: Exchange): void {
    if (exchange.upload !== instead.upload) exchange.upload?.close();
    if (this.current !== undefined && this.current === exchange.upload) this.current.exchange = instead;
  }

  /** Whether to send `100 Continue` now. Not before a pending response, for which it would be taken. */
  takeContinue(first: Exchange | undefined): boolean {
    const upload = this.current;
    if (upload === undefined || !upload.expectsContinue || !upload.isRead) return false;
    if (upload.exchange !== first || first.ready || first.stream !== undefined) return false;
    upload.expectsContinue = false;
    return true;
  }

  /**
   * The response was sent before the body was complete: a short rest is read and discarded, otherwise the connection is closed after the
   * response (RFC 9112 section 9.3).
   * @returns whether it is closed
   */
  settle(): boolean {
    const upload = this.current;
    if (upload === undefined || upload.isSettled || !upload.exchange.ready) return false;
    upload.isSettled = true;
    const isNearlyWhole = upload.isNearlyWhole;
    upload.close();
    if (!isNearlyWhole) upload.exchange.close = true;
    return upload.exchange.close;
  }
}
