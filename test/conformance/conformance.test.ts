import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from '../support/process.js';
import { expectConserved, startServer, type TestServer } from '../support/server.js';
import type { Case } from './cases/case.js';
import { cases, groups, isValid } from './cases/index.js';
import { replay, type Wire } from './replay.js';

let running: TestServer;

beforeAll(async () => {
  running = await startServer();
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const expected = ({ answers, closes, body }: Case) => ({ answers, closes, ...(body !== undefined && { body }) });

describe.each(Object.entries(groups))('%s', (_group, members) => {
  test.each(members)('$section: $rule', async (one) => {
    expect(await replay(running.port, one)).toMatchObject(expected(one));
  });
});

/** Small enough to send byte by byte. */
const MAX_SLOW_BYTES = 600;

async function byteByByte(wire: Wire, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !wire.ended; at++) {
    await new Promise<void>((resolve) => wire.socket.write(bytes.subarray(at, at + 1), () => setImmediate(resolve)));
  }
}

test('handles a valid request the same way when it arrives byte by byte', async () => {
  const slow = cases.filter((one) => isValid(one) && one.input.length <= MAX_SLOW_BYTES);
  expect(slow.length).toBeGreaterThan(80);
  const results = await Promise.all(slow.map((one) => replay(running.port, one, byteByByte)));
  for (const [i, one] of slow.entries()) expect([one.rule, results[i]]).toMatchObject([one.rule, expected(one)]);
});

test('rejects an invalid head the same way when it arrives byte by byte', async () => {
  // An unknown method cannot be told from a malformed one until its line is complete.
  const refused = cases.filter(
    (one) =>
      !isValid(one) && one.input.length <= MAX_SLOW_BYTES && !one.answers.includes(501) && one.answers.length < 2,
  );
  expect(refused.length).toBeGreaterThan(100);
  const results = await Promise.all(refused.map((one) => replay(running.port, one, byteByByte)));
  for (const [i, one] of refused.entries()) {
    expect([one.rule, results[i]]).toMatchObject([one.rule, { answers: one.answers, closes: true }]);
  }
});

test('the table in the documentation counts these cases', async () => {
  const text = await readFile(`${root}docs/conformance.md`, 'utf8');
  for (const [group, { length }] of Object.entries(groups))
    expect(text).toMatch(new RegExp(`${group} +\\| +${length} `));
  expect(cases.length).toBeGreaterThanOrEqual(150);
});
