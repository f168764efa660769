import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

const SLOT_BYTES = 4_096;
let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer({
    memory: { slotBytes: SLOT_BYTES },
    limits: { maxBodyBytes: 5_000_000, maxResponseBytes: 6_000_000 },
  });
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

// Around the half of a slot that a request may use, and around the complete slot.
const sizes = [
  0, 1, 1_900, 1_990, 2_000, 2_020, 2_047, 2_048, 2_049, 3_900, 4_095, 4_096, 4_097, 65_536, 1_000_000, 5_000_000,
];

test.each(sizes)('a body of %d bytes comes back intact', async (size) => {
  const body = randomBytes(size);
  const response = await exchange(port, post('/echo', body, 'Content-Type: x/y'));
  expect(response.status).toBe(200);
  expect(field(response, 'content-type')).toBe('x/y');
  expect(response.body.equals(body)).toBe(true);
});

test('requests and responses of every size around the end of a slot are intact', async () => {
  const client = await RawClient.open(port);
  for (let size = SLOT_BYTES - 400; size <= SLOT_BYTES + 40; size++) {
    client.write(get(`/large/${size}`));
    const { body } = await client.response();
    expect(body.length).toBe(size);
    expect(body.equals(Buffer.alloc(size, 'x'))).toBe(true);
  }
  client.destroy();
});

test.each([1_000, 1_300, 1_900, 2_000, 100_000])(
  'text of %d two-byte characters is counted in bytes',
  async (units) => {
    const { body } = await exchange(port, get(`/large-text/${units}`));
    expect(body.toString()).toBe('ü'.repeat(units));
  },
);

test('a head larger than half of a slot arrives', async () => {
  const long = 'v'.repeat(7_000);
  const { body } = await exchange(port, get('/request/1', `X-Test: ${long}`));
  expect(JSON.parse(body.toString()).header).toBe(long);
});

test('pipelined large and small requests are not mixed up', async () => {
  const client = await RawClient.open(port);
  const bodies = Array.from({ length: 60 }, (_, i) => randomBytes((i * 7_919) % 30_000));
  for (const body of bodies) client.write(post('/echo', body));
  for (const body of bodies) expect((await client.response()).body.equals(body)).toBe(true);
  client.destroy();
});

test('a response over the limit gets 500 and is logged', async () => {
  expect((await exchange(port, get('/large/6000000'))).body.length).toBe(6_000_000);
  expect((await exchange(port, get('/large/6000001'))).status).toBe(500);
  expect(running.logged.at(-1)!.details.err).toMatchObject({ code: 'RESPONSE_TOO_LARGE' });
});

test('a limit below the size of a slot applies too', async () => {
  const small = await startServer({ limits: { maxResponseBytes: 200 } });
  expect((await exchange(small.port, get('/large/200'))).body.length).toBe(200);
  expect((await exchange(small.port, get('/large/201'))).status).toBe(500);
  await small.server.close();
});
