import { Socket } from 'node:net';

/** The part of a TCP handle that tells whether it can read into a buffer of ours. */
interface StreamHandle {
  useUserBuffer?: unknown;
}

const READ_BUFFER_BYTES = 65_536;
/** One for all connections: what is read is parsed before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/**
 * Has the bytes of an accepted, paused socket delivered to `onBytes`, as a view that is valid during the call. Returns the
 * socket to use from now on. HTTP thread.
 *
 * `net` offers reading into one buffer (`onread`) for outgoing connections only, though its sockets can do it either way;
 * it saves an ArrayBuffer for each read, a quarter of the whole server's time (docs/internals.md). So the handle is moved
 * to a socket that reads this way, where the handle is what we take it for; otherwise 'data' events serve as well.
 */
export function readWithoutCopies(accepted: Socket, onBytes: (chunk: Buffer) => void): Socket {
  const holder = accepted as unknown as { _handle: StreamHandle | null };
  const handle = holder._handle;
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.on('data', onBytes);
    accepted.resume();
    return accepted;
  }
  holder._handle = null;
  accepted.destroy();
  const onread = {
    buffer: readBuffer,
    callback: (bytes: number): boolean => {
      onBytes(readBuffer.subarray(0, bytes));
      return true;
    },
  };
  // `handle` is what net itself passes for an accepted connection.
  const socket = new Socket({ handle, allowHalfOpen: true, onread } as never);
  socket.resume();
  return socket;
}
