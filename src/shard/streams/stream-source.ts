import { types } from 'node:util';
import { LoopShardError } from '../../errors.js';

/** Whether a returned value is streamed: an AsyncIterable, such as a ReadableStream or a Node.js stream. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/**
 * Takes ownership of a stream that a handler has returned. An 'error' event while nobody iterates over it, before the first chunk or
 * after the client has disconnected, must not end the shard.
 */
export function ownStream(stream: AsyncIterable<unknown>): void {
  const { on } = stream as { on?: unknown };
  if (typeof on === 'function') on.call(stream, 'error', () => {});
}

/** Methods by which streams release their resources. */
interface Disposable {
  getReader?: () => { read(): Promise<IteratorResult<unknown>>; cancel(): Promise<unknown> };
  cancel?: () => unknown;
  destroy?: () => unknown;
  return?: () => unknown;
}

/**
 * Iterates over a stream. `return` makes the stream release its resources immediately, even while a chunk is awaited: the iterators of
 * streams would wait for that chunk first. Only a generator cannot be interrupted.
 * @throws whatever the stream throws when its iterator is created
 */
export function iterate(stream: AsyncIterable<unknown>): AsyncIterator<unknown> {
  const { getReader, destroy } = stream as Disposable;
  if (typeof getReader === 'function') {
    const reader = getReader.call(stream);
    return {
      next: () => reader.read(),
      return: async () => ({ done: true, value: await reader.cancel() }),
    };
  }
  const iterator = stream[Symbol.asyncIterator]();
  if (typeof destroy !== 'function') return iterator;
  return {
    next: () => iterator.next(),
    return: async () => {
      destroy.call(stream);
      return (await iterator.return?.()) ?? { done: true, value: undefined };
    },
  };
}

/** Makes a stream that is never read release its resources, such as a file or a connection. */
export function discardStream(stream: AsyncIterable<unknown>): void {
  const { cancel, destroy, return: end } = stream as Disposable;
  const dispose = [cancel, destroy, end].find((method) => typeof method === 'function');
  if (dispose === undefined) return;
  try {
    // The result does not matter, but a rejection must be handled.
    Promise.resolve(dispose.call(stream)).catch(() => {});
  } catch {}
}

/**
 * Converts a chunk of a stream to bytes.
 * @throws LoopShardError RESPONSE_INVALID
 */
export function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (types.isUint8Array(chunk)) return chunk;
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `Invalid chunk of a stream: expected bytes or a string, got ${chunk === null ? 'null' : `a ${typeof chunk}`}.`,
  );
}
