import type { Readable, Writable } from 'node:stream';

const guarded = new WeakSet<Writable>();

/**
 * Passes on what a shard prints. It is lost once nobody reads it any more: a reader of standard output that has left is no reason
 * for the server to end.
 * @param target `process.stdout` or `process.stderr`
 */
export function forward(source: Readable, target: Writable): void {
  if (!guarded.has(target)) {
    guarded.add(target);
    target.on('error', ignore);
  }
  source.on('data', (chunk: Buffer) => {
    if (target.write(chunk)) return;
    source.pause();
    // A write that failed drains nothing.
    const resume = () => {
      target.off('drain', resume);
      target.off('error', resume);
      source.resume();
    };
    target.on('drain', resume);
    target.on('error', resume);
  });
}

function ignore(): void {}
