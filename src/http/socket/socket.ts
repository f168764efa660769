import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** The part of a TCP handle that tells whether it can read into a buffer of ours, and what it holds. */
interface StreamHandle {
  useUserBuffer?: unknown;
  /** Bytes that the kernel has not taken; shrinks as it takes them, where `writableLength` waits for a whole write. */
  writeQueueSize?: unknown;
}

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

/**
 * Has the bytes of an accepted, paused socket delivered to `reader`. Returns the socket to use from now on. HTTP thread.
 *
 * `net` offers reading into one buffer (`onread`) for outgoing connections only, though its sockets can do it either way;
 * it saves an ArrayBuffer for each read, a quarter of the whole server's time (docs/internals.md). So the handle is moved
 * to a socket that reads this way, where the handle is what we take it for; otherwise 'data' events serve as well.
 */
export function readWithoutCopies(accepted: Socket, reader: Reader): Socket {
  const holder = accepted as unknown as { _handle: StreamHandle | null };
  const handle = holder._handle;
  if (accepted instanceof TLSSocket || typeof handle?.useUserBuffer !== 'function') {
    accepted.on('data', (chunk) => reader.onBytes(chunk));
    accepted.resume();
    return accepted;
  }
  holder._handle = null;
  accepted.destroy();
  const onread = {
    buffer: () => reader.nextBuffer(),
    callback: (bytes: number): boolean => {
      reader.onRead(bytes);
      return true;
    },
  };
  // `handle` is what net itself passes for an accepted connection.
  const socket = new Socket({ handle, allowHalfOpen: true, onread } as never);
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
