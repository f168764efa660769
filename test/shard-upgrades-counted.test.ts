import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { get, post, RawClient } from './support/client.js';
import { ofName, parseMetrics, sumOf } from './support/metrics.js';
import { ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

/* Connections that shards have taken over, in metrics and in the access log. */
const OFFER = ['Connection: Upgrade', 'Upgrade: shout'];
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n';

let running: TestServer;
let client: RawClient;

beforeEach(async () => {
  running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD }, 'upgrades.js');
  client = await RawClient.open(running.port, { allowHalfOpen: true });
});

afterEach(async () => {
  client.destroy();
  await running.server.close();
});

const look = async () => parseMetrics(await running.server.metrics());

/** The line of the access log. */
async function line(): Promise<Record<string, unknown>> {
  await until(() => running.logged.length > 0, 'the line');
  const [{ message, details }] = running.logged.splice(0);
  return { message, ...details };
}

test('an upgrade counts as a response with status 101, and its bytes count both ways', async () => {
  await look();
  const request = get('/shout', ...OFFER);
  client.write(request);
  await until(() => client.pending.length === SWITCHING.length, 'the upgrade');
  const during = await look();
  expect(ofName(during, 'loopshard_requests_total')).toEqual({
    '{route="upgrade /shout",method="GET",status="101"}': 1,
  });
  expect(sumOf(during, 'loopshard_shard_upgrades')).toBe(1);
  const payload = 'x'.repeat(100_000);
  client.write(payload);
  await until(() => client.pending.length === SWITCHING.length + payload.length, 'all of it');
  client.socket.end();
  await client.closed();
  const log = await line();
  expect(log).toMatchObject({ message: 'request answered', method: 'GET', target: '/shout', status: 101 });
  expect([log.bytes, log.aborted]).toEqual([SWITCHING.length + payload.length, undefined]);
  const after = await look();
  expect(sumOf(after, 'loopshard_received_bytes_total')).toBe(request.length + payload.length);
  expect(sumOf(after, 'loopshard_sent_bytes_total')).toBe(SWITCHING.length + payload.length);
  expect(sumOf(after, 'loopshard_requests_total')).toBe(1);
  expect(sumOf(after, 'loopshard_requests_aborted_total')).toBe(0);
  await until(async () => sumOf(await look(), 'loopshard_shard_upgrades') === 0, 'the end on the shard');
});

test('the reset of a connection that was taken over is no abort; before that it is', async () => {
  client.write(get('/shout', ...OFFER));
  await until(() => client.pending.length === SWITCHING.length, 'the upgrade');
  client.socket.resetAndDestroy();
  expect(await line()).toMatchObject({ message: 'request answered', status: 101 });
  expect(sumOf(await look(), 'loopshard_requests_aborted_total')).toBe(0);
  client = await RawClient.open(running.port);
  client.write(get('/silent/a', ...OFFER));
  await until(() => running.server.stats().shards[0].upgrades === 1, 'the upgrade');
  client.socket.resetAndDestroy();
  expect(await line()).toMatchObject({ message: 'request aborted', target: '/silent/a', status: null, aborted: true });
  expect(sumOf(await look(), 'loopshard_requests_aborted_total')).toBe(1);
});

test('the status of a rejected upgrade is counted', async () => {
  client.write(get('/refuse/later', ...OFFER));
  await client.closed();
  client.socket.end();
  expect(await line()).toMatchObject({ message: 'request answered', status: 403 });
  expect(ofName(await look(), 'loopshard_requests_total')).toEqual({
    '{route="upgrade /refuse/later",method="GET",status="403"}': 1,
  });
});

test('an offer that is an ordinary request counts for its own route', async () => {
  client.write(`${post('/echo', 'x', ...OFFER)}${get('/plain', ...OFFER)}`);
  expect((await client.response()).status).toBe(200);
  expect((await client.response()).status).toBe(200);
  await until(async () => sumOf(await look(), 'loopshard_requests_total') === 2, 'both responses');
  expect(Object.keys(ofName(await look(), 'loopshard_requests_total')).sort()).toEqual([
    '{route="GET /plain",method="GET",status="200"}',
    '{route="POST /echo",method="POST",status="200"}',
  ]);
});
