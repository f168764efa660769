/* Members of the responses of node:http that its own server uses, and that its types leave out. */
import { OutgoingMessage, type ServerResponse } from 'node:http';

/** @internal */
export interface NodeResponse extends Omit<ServerResponse, 'socket'> {
  /** The head, once it was formed. */
  readonly _header: string | null;
  readonly _headerSent: boolean;
  /** The connection is closed after the response. */
  readonly _last: boolean;
  /** A LeanSocket. */
  socket: object | null;
  _closed: boolean;
  destroyed: boolean;
  _expect_continue: boolean;
  /** Announced in the head, in milliseconds; 0 to announce nothing. */
  _keepAliveTimeout: number;
  _maxRequestsPerSocket: number;
}

/** Where node:http notes that `write()` has returned false. It resets it only when it emits `drain` itself. */
const NEED_DRAIN = Object.getOwnPropertySymbols(new OutgoingMessage()).find(
  ({ description }) => description === 'kNeedDrain',
);

/** Emits `drain` if a `write()` of the response has returned false. */
export function emitDrain(response: NodeResponse): void {
  if (!response.writableNeedDrain) return;
  if (NEED_DRAIN !== undefined) (response as unknown as Record<symbol, boolean>)[NEED_DRAIN] = false;
  response.emit('drain');
}

/** Emits `close`, once. */
export function emitClose(response: NodeResponse): void {
  if (response._closed) return;
  response.destroyed = true;
  response._closed = true;
  response.emit('close');
}

/** The error of requests whose clients have disconnected. */
export function abortedError(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
}
