import { types } from 'node:util';
import { LoopShardError } from '../../errors.js';

/** What a handler may return to have its response streamed: an AsyncIterable; ReadableStreams and Node.js streams are some. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/**
 * Takes over a stream that a handler has returned: an error of it that comes when nobody iterates over it, before its first
 * chunk or after the client has left, is nobody's and must not end the shard.
 */
export function ownStream(stream: AsyncIterable<unknown>): void {
  const { on } = stream as { on?: unknown };
  if (typeof on === 'function') on.call(stream, 'error', () => {});
}

/** What streams have beside their iterators. */
interface Disposable {
  getReader?: () => { read(): Promise<IteratorResult<unknown>>; cancel(): Promise<unknown> };
  cancel?: () => unknown;
  destroy?: () => unknown;
  return?: () => unknown;
}

/**
 * Iterates over a stream. `return` has it give up what it holds at once, while a chunk is awaited too: the iterators of streams
 * would wait for that chunk first. Only a generator cannot be hurried.
 * @throws whatever the stream throws when its iterator is asked for
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

/** Has a stream that is never read give up what it holds: a file, a connection. */
export function discardStream(stream: AsyncIterable<unknown>): void {
  const { cancel, destroy, return: end } = stream as Disposable;
  const dispose = [cancel, destroy, end].find((method) => typeof method === 'function');
  if (dispose === undefined) return;
  try {
    // Nobody waits for what becomes of it.
    Promise.resolve(dispose.call(stream)).catch(() => {});
  } catch {}
}

/**
 * A chunk that a stream has yielded.
 * @throws LoopShardError RESPONSE_INVALID
 */
export function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (types.isUint8Array(chunk)) return chunk;
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `A stream yielded ${chunk === null ? 'null' : `a ${typeof chunk}`}, which cannot be sent. Yield bytes or strings.`,
  );
}
