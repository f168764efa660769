import { Worker } from 'node:worker_threads';

/** A place in a file, with its line and column from 1. */
export interface Position {
  /** Path or `file:` URL. */
  file: string;
  line: number;
  column: number;
}

/** How long the module may take to fail again. */
const PATIENCE_MS = 5_000;

/**
 * Finds the syntax error that makes the import of a module fail. Node.js does not say in which file of an ECMAScript module it is, and
 * only a debugger that was attached before knows: the module is imported again on a thread that has one.
 * @returns nothing if the import does not fail there
 */
export function findSyntaxError(url: string): Promise<Position | undefined> {
  return new Promise((resolve) => {
    const entry = new URL('../contract/syntax-debugger.js', import.meta.url);
    // Output of the module was seen when it was imported before.
    const worker = new Worker(entry, { workerData: url, stdout: true, stderr: true });
    const timer = setTimeout(() => worker.terminate(), PATIENCE_MS);
    worker.once('message', resolve);
    worker.once('error', () => resolve(undefined));
    worker.once('exit', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
