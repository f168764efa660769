import type { Readable, Writable } from 'node:stream';

const guarded = new WeakSet<Writable>();

/**
 * Forwards what a shard prints. Once the reader of standard output is gone, output is dropped: that is no reason for the server to end.
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
    // A failed write emits no 'drain'.
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
