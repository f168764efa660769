/*
 * `--import` loads this into the processes of `node --test`.
 *
 * - It ends the process of a test file once its tests have ended: a test that fails may leave a server open. `--test-force-exit`
 *   loses results that are not written yet.
 * - It gives each test a limit, which Node.js 20 has only for files: a test that hangs would take those behind it along.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { compileFunction } from 'node:vm';
import { FILE_TIMEOUT_MS, TEST_TIMEOUT_MS } from './limits.js';

/** Enough to write the results, and for the next tests of a file that adds some later, such as when its server listens. */
const GRACE_MS = 5_000;

let running = 0;
/** @type {NodeJS.Timeout | undefined} */
let end;

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  const nodeTest = createRequire(import.meta.url)('node:test');
  for (const name of ['test', 'it']) nodeTest[name] = counted(nodeTest[name], TEST_TIMEOUT_MS);
  // A test in a group counts as ended at once; the group does not.
  for (const name of ['describe', 'suite']) nodeTest[name] = counted(nodeTest[name], FILE_TIMEOUT_MS);
  syncBuiltinESMExports();
}

/** @param {typeof import('node:test').test} test @param {number} timeout unless the test has its own */
function counted(test, timeout) {
  // Node.js reports the file from which `test` is called.
  const call = compileFunction('return test(...args);', ['test', 'args'], { filename: process.argv[1] });
  /** @param {any[]} args name, options and function, all optional */
  const run = (...args) => {
    const at = args.findIndex((one) => typeof one === 'object' && one !== null);
    if (at !== -1) args[at] = { timeout, ...args[at] };
    else args.splice(typeof args[0] === 'string' ? 1 : 0, 0, { timeout });
    running++;
    clearTimeout(end);
    const ended = Promise.resolve(call(test, args));
    void ended.finally(noteEnd);
    return ended;
  };
  return Object.assign(run, test);
}

function noteEnd() {
  if (--running === 0) end = setTimeout(() => process.exit(), GRACE_MS).unref();
}
