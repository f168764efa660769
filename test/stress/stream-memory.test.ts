import { expect, test } from '@jest/globals';
import { grownBytes, readSlowly } from '../support/memory.js';

const MEBIBYTES = 1_024;

test('streams 1 GiB to a slow reader in less than 64 MiB of memory', async () => {
  const grown = await grownBytes(async (port) => {
    expect(await readSlowly(port, `/constant/${MEBIBYTES}`)).toBeGreaterThan(MEBIBYTES * 2 ** 20);
  });
  process.stderr.write(`RSS grew by ${(grown / 2 ** 20).toFixed(1)} MiB\n`);
  expect(grown / 2 ** 20).toBeLessThan(64);
}, 120_000);
