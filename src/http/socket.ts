import { Socket } from 'node:net';

/** The part of a TCP handle that tells whether it can read into a buffer of ours. */
interface StreamHandle {
  useUserBuffer?: unknown;
}

/** Where a connection's bytes go. */
export interface Reader {
  /** Sockets read into it; what is read is parsed before the next read, so all may share it. */
  readonly buffer: Buffer;
  /** The first `bytes` bytes of the buffer are new. */
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
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.on('data', (chunk) => reader.onBytes(chunk));
    accepted.resume();
    return accepted;
  }
  holder._handle = null;
  accepted.destroy();
  const onread = {
    buffer: reader.buffer,
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
