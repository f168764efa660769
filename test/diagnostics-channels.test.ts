import { BroadcastChannel } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { RequestEvent, ServeOptions } from 'loopshard';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

/** What a subscriber of the channels has seen. */
interface Seen extends Omit<RequestEvent, 'error' | 'request'> {
  name: string;
  channelName: string;
  /** Of the message: the same for all events of a request. */
  number: number;
  agent: string | undefined;
  error: string | undefined;
}

let running: TestServer;
let channel: BroadcastChannel;
let seen: Seen[];

beforeEach(() => {
  seen = [];
  channel = new BroadcastChannel('apm');
  channel.onmessage = (event) => void seen.push((event as { data: Seen }).data);
});

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
  channel.close();
});

async function start(options: ServeOptions = {}, query = ''): Promise<void> {
  running = await startServer({ shards: 1, ...options }, `apm-app.js${query}`);
}

const request = (target: string) => exchange(running.port, get(target, 'User-Agent: tests'));
const namesOf = (target: string) => seen.filter((event) => event.target === target).map(({ name }) => name);
/** Resolves with the message of the end of a request. */
async function ended(target: string): Promise<Seen> {
  const find = () => seen.find((event) => event.target === target && event.name === 'end');
  await until(() => find() !== undefined, `the end of ${target}`);
  return find()!;
}

test('events of a request are published with the same message, in their order', async () => {
  await start();
  const before = Date.now();
  await request('/users/7?a=1');
  const last = await ended('/users/7?a=1');
  expect(namesOf('/users/7?a=1')).toEqual(['start', 'settled', 'end']);
  expect(new Set(seen.map(({ number }) => number)).size).toBe(1);
  const [first, settled] = seen;
  expect(first).toMatchObject({
    channelName: 'loopshard:request:start',
    shard: 0,
    group: 'default',
    method: 'GET',
    route: '/users/:id',
    agent: 'tests',
    isAborted: false,
  });
  expect(first).toMatchObject({ startedAt: undefined, settledAt: undefined, endedAt: undefined });
  expect(settled).toMatchObject({ agent: 'tests', statusCode: undefined });
  // Its memory may carry another request by now.
  expect(last).toMatchObject({ agent: 'REQUEST_FINISHED', statusCode: 200, code: undefined, error: undefined });
  const { arrivedAt, queuedAt, claimedAt, startedAt, settledAt, endedAt } = last;
  const times = [before - 1, arrivedAt, queuedAt, claimedAt, startedAt, settledAt, endedAt, Date.now()] as number[];
  expect([...times].sort((a, b) => a - b)).toEqual(times);
});

test('errors are published unless they say something about the request', async () => {
  await start();
  await request('/throws');
  expect(await ended('/throws')).toMatchObject({ statusCode: 500, error: 'on purpose' });
  expect(namesOf('/throws')).toEqual(['start', 'error', 'settled', 'end']);
  await request('/refuses');
  expect(await ended('/refuses')).toMatchObject({ statusCode: 409, error: undefined });
  expect(namesOf('/refuses')).toEqual(['start', 'settled', 'end']);
});

test('requests that the HTTP thread responds to have an end', async () => {
  await start();
  // Until the shard has claimed a request, nobody knows that somebody listens.
  await request('/users/1');
  await ended('/users/1');
  await request('/fixed');
  expect(await ended('/fixed')).toMatchObject({ route: '/fixed', statusCode: 200, queuedAt: undefined });
  expect(namesOf('/fixed')).toEqual(['end']);
  await request('/slow');
  expect(await ended('/slow')).toMatchObject({ statusCode: 504, code: 'HANDLER_TIMEOUT', settledAt: undefined });
  expect(namesOf('/slow')).toEqual(['start', 'end']);
});

test('a client that disconnects is an end too', async () => {
  await start();
  const client = await RawClient.open(running.port);
  client.write(get('/stream'));
  await until(() => namesOf('/stream').includes('start'), 'the start');
  client.socket.resetAndDestroy();
  const last = await ended('/stream');
  expect(last.isAborted || last.statusCode === 200).toBe(true);
});

test('a store that is bound to the start is that of all code of the request, and of no other', async () => {
  await start();
  const targets = Array.from({ length: 30 }, (_, i) => `?${i}`);
  const answers = await Promise.all(
    targets.flatMap((query) => [request(`/wrapped/store${query}`), request(`/stream${query}`)]),
  );
  for (const [i, query] of targets.entries()) {
    const wrapped = answers[2 * i];
    expect([field(wrapped, 'x-middleware'), wrapped.body.toString()]).toEqual(Array(2).fill(`/wrapped/store${query}`));
  }
  const client = await RawClient.open(running.port);
  client.write(get('/stream?last'));
  await until(() => client.pending.toString().includes(' /stream?last'), 'the stream');
  client.destroy();
});

test('a subscriber that throws does not affect the response', async () => {
  await start({ recovery: { onUncaught: 'continue' } });
  expect((await request('/subscriber-throws')).status).toBe(404);
  expect((await request('/users/1')).body.toString()).toBe('1');
});

test('only some of the channels may be listened to', async () => {
  await start({}, '?channels=end');
  await request('/users/1');
  expect(await ended('/users/1')).toMatchObject({ statusCode: 200, route: '/users/:id' });
  expect(seen.map(({ name }) => name)).toEqual(['end']);
});
