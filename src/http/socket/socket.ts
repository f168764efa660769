import { channel } from 'node:diagnostics_channel';
import { type Server, Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** The part of a connection's handle that shows whether it can read into our buffer, and how much it holds. */
export interface StreamHandle {
  useUserBuffer?: unknown;
  /** Bytes that the kernel has not taken; decreases as it takes them, whereas `writableLength` changes after a whole write. */
  writeQueueSize?: unknown;
  setNoDelay?(noDelay: boolean): void;
  close(): void;
}

/** The part of a listening socket's handle that is called for new connections. */
interface ListeningHandle {
  onconnection?: ((status: number, handle: StreamHandle | undefined) => void) | undefined;
}

/** A connection that is not read yet: its handle, or a paused socket if the handle is of another kind. */
export type Accepted = Socket | StreamHandle;

/** Receives a connection's bytes, and its end. */
export interface Reader {
  /**
   * Where the next read goes; called before the first read and after each. Undefined to reuse the last buffer. Bytes are parsed before the
   * next read, so connections may share a buffer.
   */
  nextBuffer(): Uint8Array | undefined;
  /** The first `bytes` bytes of that buffer are new. */
  onRead(bytes: number): void;
  /** Bytes that were not read into the buffer. */
  onBytes(chunk: Buffer): void;
  /** The client has sent its last byte. */
  onEnd(): void;
  /** The connection is closed, in order or after an error. */
  onClosed(): void;
}

/**
 * The reader of a socket. Its listeners and callbacks are the same functions for all sockets, and look it up: closures would cost more, and keep
 * ended connections alive until the next major garbage collection (docs/internals.md).
 */
const READER = Symbol('reader');
type ReadSocket = Socket & { [READER]: Reader };

/** Whose next buffer `net` asks for: it calls that function without the socket, in its constructor and immediately after `onRead`. */
let reading: Reader;

function nextBuffer(): Uint8Array | undefined {
  return reading.nextBuffer();
}

function onRead(this: ReadSocket, bytes: number): boolean {
  const reader = this[READER];
  reader.onRead(bytes);
  reading = reader;
  return true;
}

function onBytes(this: ReadSocket, chunk: Buffer): void {
  this[READER].onBytes(chunk);
}

function onEnd(this: ReadSocket): void {
  this[READER].onEnd();
}

function onClosed(this: ReadSocket): void {
  this[READER].onClosed();
}

/** Errors are handled in 'close', which always follows. */
function onError(): void {}

const ONREAD = { buffer: nextBuffer, callback: onRead };

/** Diagnostics channel for sockets that `net` creates for accepted connections. */
const accepts = channel('net.server.socket');

/**
 * Calls `onConnection` with the handle of each connection before `net` creates a socket for it: that socket would be discarded
 * (`readFrom`), and creating it takes a third of the time of a connection. No effect if the listening handle is of another kind. HTTP
 * thread.
 * @param server listens, and creates paused sockets for connections whose handles cannot be taken
 */
export function takeHandles(server: Server, onConnection: (handle: StreamHandle) => void): void {
  const listening = (server as unknown as { _handle?: ListeningHandle | null })._handle;
  const makeSocket = listening?.onconnection;
  if (typeof makeSocket !== 'function') return;
  listening!.onconnection = (status, handle) => {
    if (status !== 0 || !canRead(handle)) return makeSocket.call(listening, status, handle);
    handle.setNoDelay?.(true);
    onConnection(handle);
  };
}

function canRead(handle: StreamHandle | null | undefined): handle is StreamHandle {
  return typeof handle?.useUserBuffer === 'function';
}

/** Closes a connection that is not read. */
export function dismiss(accepted: Accepted): void {
  if (accepted instanceof Duplex) accepted.destroy();
  else accepted.close();
}

/**
 * Delivers the bytes of an accepted connection to `reader`. Returns its socket. HTTP thread.
 *
 * `net` offers reading into one buffer (`onread`) only for outgoing connections, though its sockets support it for both. It saves an
 * ArrayBuffer for each read, a quarter of the whole server's time (docs/internals.md). Without such a handle, 'data' events are used.
 */
export function readFrom(accepted: Accepted, reader: Reader): Socket {
  const isSocket = accepted instanceof Duplex;
  reading = reader;
  // `handle` is what net itself passes for an accepted connection.
  const socket = isSocket ? accepted : new Socket({ handle: accepted, allowHalfOpen: true, onread: ONREAD } as never);
  (socket as ReadSocket)[READER] = reader;
  if (isSocket) socket.on('data', onBytes);
  else if (accepts.hasSubscribers) accepts.publish({ socket });
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClosed);
  socket.resume();
  return socket;
}

/** Ends a connection so that the client can distinguish it from an orderly end. */
export function breakOff(socket: Socket): void {
  // TLS makes this distinction itself.
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}

/**
 * Whether destroying the socket, once the kernel has all output, ends the connection in order. TLS announces its end, and a connection inside
 * the process would end before its client has read the rest.
 */
export function endsInOrder(socket: Socket): boolean {
  return socket instanceof Socket && !('encrypted' in socket);
}

/** Bytes written to the socket that were not sent. */
export function unsentBytes(socket: Socket): number {
  const { writableLength } = socket;
  if (writableLength === 0) return 0;
  const size = (socket as unknown as { _handle?: StreamHandle | null })._handle?.writeQueueSize;
  return typeof size === 'number' && size > 0 ? size : writableLength;
}
