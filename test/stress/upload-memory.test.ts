import { expect, test } from '@jest/globals';
import { grownBytes, upload } from '../support/memory.js';

const BYTES = 2 ** 30;

test('receives an upload of 1 GiB in less than 64 MiB of memory', async () => {
  const grown = await grownBytes(async (port) => {
    expect(JSON.parse(await upload(port, '/digest', BYTES))).toMatchObject({ length: BYTES });
  }, 'uploads.js');
  process.stderr.write(`RSS grew by ${(grown / 2 ** 20).toFixed(1)} MiB\n`);
  expect(grown / 2 ** 20).toBeLessThan(64);
}, 120_000);
