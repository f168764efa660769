/* How long tests of the suites may take, on a machine that others use too. */

/** For one test, in milliseconds. */
export const TEST_TIMEOUT_MS = 60_000;
/** For a file with all its tests, in milliseconds. */
export const FILE_TIMEOUT_MS = 3 * TEST_TIMEOUT_MS;
