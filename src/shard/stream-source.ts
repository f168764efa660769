/** What a handler may return to have its response streamed: an AsyncIterable; ReadableStreams and Node.js streams are some. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** What streams have beside their iterators. */
interface Disposable {
  cancel?: () => unknown;
  destroy?: () => unknown;
  return?: () => unknown;
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
