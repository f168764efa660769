import { BODY_WINDOW_BYTES } from '../../contract/messages.js';
import type { Exchange } from '../exchange.js';
import { CHUNK_BYTES } from '../parser/llhttp.js';
import { RequestStream, type StreamedBody, type Untaken } from './request-stream.js';

/** The bodies of one connection that are read as streams. HTTP thread. */
export class Uploads {
  /** The one that is on its way. */
  current: RequestStream | undefined;
  /** Bytes of all of them. */
  received = 0;
  /** The socket is not read because too much waits. */
  isHeld = false;
  readonly #untaken: Untaken = { bytes: 0 };

  /** Another read could bring more than may wait. */
  get isFull(): boolean {
    return this.#untaken.bytes > BODY_WINDOW_BYTES - CHUNK_BYTES;
  }

  /** Decides whether the socket is read. */
  hold(): boolean {
    this.isHeld = this.isFull;
    return this.isHeld;
  }

  /** It is the server's turn: to read on, or to say that the body may come. */
  get isWaiting(): boolean {
    return this.isHeld || this.current?.expectsContinue === true;
  }

  begin(exchange: Exchange, body: StreamedBody): void {
    this.current = new RequestStream(exchange, this.#untaken, body);
    exchange.upload = this.current;
    if (exchange.ready) this.current.close();
  }

  add(memory: Buffer, at: number, bytes: number, end: number): void {
    this.received += bytes;
    this.current!.add(memory, at, bytes, end);
  }

  /** The one on its way is whole. Returns it. */
  end(): RequestStream {
    const upload = this.current!;
    upload.end();
    this.current = undefined;
    return upload;
  }

  /** Another exchange answers in the place of one whose handler may still read. */
  replace(exchange: Exchange, instead: Exchange): void {
    exchange.upload?.close();
    if (this.current !== undefined && this.current === exchange.upload) this.current.exchange = instead;
  }

  /** Is it time for `100 Continue`? Not in front of an answer that is still owed: it would be taken for that one's. */
  takeContinue(first: Exchange | undefined): boolean {
    const upload = this.current;
    if (upload === undefined || !upload.expectsContinue || !upload.isRead) return false;
    if (upload.exchange !== first || first.ready || first.stream !== undefined) return false;
    upload.expectsContinue = false;
    return true;
  }

  /**
   * The request was answered before its body was whole: what is left is read and dropped if it is little, otherwise the
   * connection ends behind the answer (RFC 9112 section 9.3).
   * @returns whether it ends
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
