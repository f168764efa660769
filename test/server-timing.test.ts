import { afterEach, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, RawClient, type RawResponse } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
});

async function start(options: ServeOptions, fixture = 'timing-app.js'): Promise<void> {
  running = await startServer({ shards: 1, ...options }, fixture);
}

const request = (target: string, ...fields: string[]) => exchange(running.port, get(target, ...fields));
const linesOf = ({ fields }: Pick<RawResponse, 'fields'>) =>
  fields.filter(([name]) => name === 'server-timing').map(([, value]) => value);
const TIMES = /^queue;dur=([\d.]+), handler;dur=([\d.]+), total;dur=([\d.]+)$/;

/** The times in a value: in the queue, in the handler, in total, in milliseconds. */
function timesIn(value: string): number[] {
  const match = TIMES.exec(value);
  expect(match).not.toBeNull();
  return match!.slice(1).map(Number);
}

test('the times of a request are sent: in the queue, in the handler, and in total', async () => {
  await start({ serverTiming: true, scheduling: { permits: 1 } });
  const clients = await Promise.all([RawClient.open(running.port), RawClient.open(running.port)]);
  clients[0].write(get('/sleep/40'));
  await until(() => running.server.stats().shards[0].permits.available === 0, 'the handler');
  clients[1].write(get('/sleep/10'));
  const [first, second] = await Promise.all(clients.map((client) => client.response()));
  for (const client of clients) client.destroy();
  const [, firstHandler, firstTotal] = timesIn(linesOf(first)[0]);
  expect(firstHandler).toBeGreaterThan(38);
  expect(firstTotal).toBeGreaterThanOrEqual(firstHandler);
  const [queue, handler, total] = timesIn(linesOf(second)[0]);
  expect(queue).toBeGreaterThan(5);
  expect(handler).toBeGreaterThan(8);
  expect(total).toBeCloseTo(queue + handler, 3);
});

test('they are added to the value that the handler has set', async () => {
  await start({ serverTiming: true });
  const [own, ...more] = linesOf(await request('/own'));
  expect(more).toEqual([]);
  expect(own).toMatch(/^db;dur=5, cache;desc="hit", queue;dur=/);
  timesIn(own.slice(own.indexOf('queue')));
  const [ofResponse, ...others] = linesOf(await request('/response'));
  expect(others).toEqual([]);
  expect(ofResponse).toMatch(/^own;dur=1, queue;dur=/);
});

test('every kind of response of a handler has them', async () => {
  await start({ serverTiming: true, compress: { thresholdBytes: 0 } });
  const written = await request('/writer');
  expect(JSON.parse(written.body.toString())).toEqual({ written: true });
  timesIn(linesOf(written)[0]);
  const failed = await request('/throws');
  expect(failed.status).toBe(500);
  timesIn(linesOf(failed)[0]);
  timesIn(linesOf(await request('/sleep/0', 'Accept-Encoding: gzip'))[0]);
  const client = await RawClient.open(running.port);
  client.write(get('/stream'));
  const head = await client.response();
  timesIn(linesOf(head)[0]);
  client.destroy();
  // The HTTP thread responds to these.
  for (const target of ['/fixed', '/nowhere']) expect(linesOf(await request(target))).toEqual([]);
});

test('an app for node:http gets a line of its own', async () => {
  await start({ serverTiming: true }, 'timing-node-app.js');
  timesIn(linesOf(await request('/'))[0]);
  const lines = linesOf(await request('/own'));
  expect(lines).toContain('own;dur=1');
  timesIn(lines.find((line) => line !== 'own;dur=1')!);
});

test.each([
  ['by default', {}, [false, false]],
  ['of all clients', { serverTiming: true }, [true, true]],
  ['of listed clients, by their address', { serverTiming: '10.0.0.0/8, ::1' }, [true, false]],
  ['of clients on this machine', { serverTiming: ['loopback'] }, [false, false]],
] as [string, ServeOptions, boolean[]][])('whether they are sent: %s', async (_what, options, expected) => {
  await start({ trustProxy: 'loopback', ...options });
  const sent = await Promise.all(
    ['10.1.2.3', '203.0.113.7'].map(async (ip) => linesOf(await request('/own', `X-Forwarded-For: ${ip}`)).at(0)),
  );
  expect(sent.map((value) => value?.includes('total;dur=') === true)).toEqual(expected);
});

test('rejects other values', async () => {
  await start({});
  for (const serverTiming of [7, 'nowhere', [], ['10.0.0.0/99']] as never[]) {
    await expect(startServer({ serverTiming })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('Option `serverTiming` must be a boolean, or addresses'),
    });
  }
});
