/*
 * Ends the process of a test file once its tests have ended: a test that fails may leave a server open. `--import` loads it into the processes of
 * `node --test`. Its own `--test-force-exit` loses results that are not written yet.
 */
import { after } from 'node:test';

/** Enough to write the results. */
const GRACE_MS = 2_000;

if (process.env.NODE_TEST_CONTEXT !== undefined) after(() => void setTimeout(() => process.exit(), GRACE_MS).unref());
