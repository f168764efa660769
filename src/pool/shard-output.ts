import { type Readable, Writable } from 'node:stream';

/**
 * Passes on what a shard prints. As with `console`, it is lost if nobody reads it any more: a reader of standard output that
 * has left is no reason for the HTTP thread to end.
 * @param target `process.stdout` or `process.stderr`
 */
export function forward(source: Readable, target: Writable): void {
  source.pipe(
    new Writable({
      write(chunk, _encoding, done) {
        if (target.destroyed || !target.writable) return done();
        target.once('error', ignore);
        target.write(chunk, () => {
          // The event of a failed write follows its callback.
          setImmediate(() => target.off('error', ignore));
          done();
        });
      },
    }),
  );
}

function ignore(): void {}
