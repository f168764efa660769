import { expect, test } from '@jest/globals';
import { grownBytes, upload } from './support/memory.js';

const MEBIBYTES = 96;

test.each(['/digest', '/slow'])(`${MEBIBYTES} MiB to %s need less than 64 MiB of memory`, async (path) => {
  const bytes = MEBIBYTES * 2 ** 20;
  const grown = await grownBytes(async (port) => {
    expect(JSON.parse(await upload(port, path, bytes))).toMatchObject({ length: bytes });
  }, 'uploads.js');
  expect(grown / 2 ** 20).toBeLessThan(64);
});
