import { expect, test } from '@jest/globals';
import { grownBytes, readSlowly } from './support/memory.js';

// Long enough to reveal a server that buffers what the client has not read.
const MEBIBYTES = 128;

test(`${MEBIBYTES} MiB to a slow reader need less than 64 MiB of memory`, async () => {
  const grown = await grownBytes(async (port) => {
    expect(await readSlowly(port, `/constant/${MEBIBYTES}`)).toBeGreaterThan(MEBIBYTES * 2 ** 20);
  });
  expect(grown / 2 ** 20).toBeLessThan(64);
});
