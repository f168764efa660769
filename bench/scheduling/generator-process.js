import { fileURLToPath } from 'node:url';
import { startChild } from '../http/children.js';
import { BenchError } from '../http/errors.js';

const ENTRY = fileURLToPath(new URL('./generator/entry.js', import.meta.url));

/** @typedef {Awaited<ReturnType<typeof startGenerator>>} OpenLoopGenerator */

/** Starts the load generator in a separate process. */
export async function startGenerator() {
  const child = startChild(process.execPath, [ENTRY], { messages: true });
  return {
    /**
     * @param {import('./generator/load.js').LoadPlan} plan
     * @returns {Promise<import('./generator/load.js').LoadResult>}
     */
    run(plan) {
      return new Promise((resolve, reject) => {
        const onExit = () => reject(new BenchError('The load generator ended.'));
        child.once('exit', onExit);
        child.once('message', (/** @type {{ result: any, error?: string }} */ { result, error }) => {
          child.off('exit', onExit);
          if (error) reject(new BenchError(`The load failed: ${error}.`));
          else resolve(result);
        });
        child.send(plan);
      });
    },
    stop: () => child.disconnect(),
  };
}
