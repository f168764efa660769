/** The exit code of Node.js for a main module that awaits a promise which can never settle. */
export const UNSETTLED_EXIT_CODE = 13;

/**
 * Ends the thread with UNSETTLED_EXIT_CODE if nothing can settle `loading` any more. If the main module awaited it, Node.js would do the
 * same, and show a line of that module.
 */
export function endIfUnsettled(loading: Promise<unknown>): void {
  const end = () => process.exit(UNSETTLED_EXIT_CODE);
  process.once('beforeExit', end);
  void loading.finally(() => process.off('beforeExit', end));
}
