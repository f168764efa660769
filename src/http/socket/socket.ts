import { channel } from 'node:diagnostics_channel';
import { type Server, Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** The part of the handle of a connection that tells whether it can read into a buffer of ours, and what it holds. */
export interface StreamHandle {
  useUserBuffer?: unknown;
  /** Bytes that the kernel has not taken; shrinks as it takes them, where `writableLength` waits for a whole write. */
  writeQueueSize?: unknown;
  setNoDelay?(noDelay: boolean): void;
  close(): void;
}

/** The part of the handle of a listening socket that is told of connections. */
interface ListeningHandle {
  onconnection?: ((status: number, handle: StreamHandle | undefined) => void) | undefined;
}

/** A connection that nobody reads yet: its handle, or a paused socket where there is none that is what we take it for. */
export type Accepted = Socket | StreamHandle;

/** Where a connection's bytes go. */
export interface Reader {
  /**
   * Where the next read goes, asked before the first read and after each; nothing for where the last one went. What is read is
   * parsed before the next read, so connections may share a buffer.
   */
  nextBuffer(): Uint8Array | undefined;
  /** The first `bytes` bytes of that buffer are new. */
  onRead(bytes: number): void;
  /** Bytes that did not come into the buffer. */
  onBytes(chunk: Buffer): void;
}

/** Who wants to hear of each socket that `net` makes for an accepted connection. */
const accepts = channel('net.server.socket');

/**
 * Has `onConnection` called with the handle of each connection, before `net` makes a socket of it: that socket would be thrown away
 * again (`readFrom`), and to make it costs a third of what a connection does. Without effect where the listening handle is not what we take
 * it for. HTTP thread.
 * @param server listens, and makes paused sockets for connections whose handles cannot be taken
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

/** Closes a connection that nobody reads. */
export function dismiss(accepted: Accepted): void {
  if (accepted instanceof Duplex) accepted.destroy();
  else accepted.close();
}

/**
 * Has the bytes of an accepted connection delivered to `reader`. Returns its socket. HTTP thread.
 *
 * `net` offers reading into one buffer (`onread`) for outgoing connections only, though its sockets can do it either way;
 * it saves an ArrayBuffer for each read, a quarter of the whole server's time (docs/internals.md). Where there is no handle for
 * that, 'data' events serve as well.
 */
export function readFrom(accepted: Accepted, reader: Reader): Socket {
  if (accepted instanceof Duplex) {
    accepted.on('data', (chunk) => reader.onBytes(chunk));
    accepted.resume();
    return accepted;
  }
  const onread = {
    buffer: () => reader.nextBuffer(),
    callback: (bytes: number): boolean => {
      reader.onRead(bytes);
      return true;
    },
  };
  // `handle` is what net itself passes for an accepted connection.
  const socket = new Socket({ handle: accepted, allowHalfOpen: true, onread } as never);
  if (accepts.hasSubscribers) accepts.publish({ socket });
  socket.resume();
  return socket;
}

/** Ends a connection so that the client can tell it from an end in order. */
export function breakOff(socket: Socket): void {
  // TLS tells one from the other by itself.
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Bytes that were written to the socket and have not left. */
export function unsentBytes(socket: Socket): number {
  const { writableLength } = socket;
  if (writableLength === 0) return 0;
  const size = (socket as unknown as { _handle?: StreamHandle | null })._handle?.writeQueueSize;
  return typeof size === 'number' && size > 0 ? size : writableLength;
}
