/** The exit code of Node.js for a main module that awaits a promise which can never settle. */
export const UNSETTLED_EXIT_CODE = 13;

/** Those who wait until the thread has nothing to do. */
const waiting: (() => void)[] = [];

/**
 * Ends the thread with UNSETTLED_EXIT_CODE if nothing can settle `loading` any more. If the main module awaited it, Node.js would do the
 * same, and show a line of that module.
 */
export function endIfUnsettled(loading: Promise<unknown>): void {
  const onIdle = () => {
    const callback = waiting.pop();
    if (callback === undefined) process.exit(UNSETTLED_EXIT_CODE);
    callback();
  };
  process.on('beforeExit', onIdle);
  void loading.finally(() => process.off('beforeExit', onIdle));
}

/** Calls back when the thread has nothing to do, while it is loading. */
export function whenIdle(callback: () => void): void {
  waiting.push(callback);
}
