import { Worker } from 'node:worker_threads';

/** A place in a file, with line and column counted from 1. */
export interface Position {
  /** Path or `file:` URL. */
  file: string;
  line: number;
  column: number;
}

/** How long the second import may take to fail. */
const PATIENCE_MS = 5_000;

/**
 * Locates the syntax error that makes the import of a module fail. Node.js does not report the file of a syntax error in an ECMAScript
 * module; only a debugger that was attached before knows it. So the module is imported again on a thread with a debugger.
 * @returns undefined if the import does not fail there
 */
export function findSyntaxError(url: string): Promise<Position | undefined> {
  return new Promise((resolve) => {
    const entry = new URL('../contract/syntax-debugger.js', import.meta.url);
    // The module's output was already printed by the first import.
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
