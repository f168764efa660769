import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Program } from '../support/process.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';
import { ask, closeConnections } from './behaviours/client.js';

/* The events that a Node app sees are those of node:http, and slow clients make it wait. */

let usual: Program;
let usualPort: number;
let shards: TestServer;

beforeAll(async () => {
  usual = new Program(process.execPath, ['test/fixtures/usual-server.js', 'node:http', 'node/plain.js']);
  shards = await startServer({ shards: 1 }, 'node/plain.js');
  usualPort = Number((await usual.printed(/port (\d+)/))[1]);
});

afterAll(async () => {
  usual.child.kill();
  await usual.exit();
  closeConnections();
  await shards.server.close();
  await expectConserved(shards);
});

const eventsOf = async (port: number, of: string) => JSON.parse((await ask(port, { path: `/events?of=${of}` })).body);

test.each([
  ['end-events', 7],
  ['write-after-end', 2],
  ['unknown-encoding', 1],
])('%s: the same events', async (name, count) => {
  const events = [];
  for (const port of [usualPort, shards.port]) {
    await ask(port, { path: `/${name}` });
    // The last ones follow the response, which another request may overtake.
    await until(async () => (await eventsOf(port, name)).length >= count, 'the events');
    events.push(await eventsOf(port, name));
  }
  expect(events[1]).toEqual(events[0]);
});

test.each(['wait-events', 'wait-midway'])('%s: the same events when the client disconnects', async (name) => {
  const events = [];
  for (const port of [usualPort, shards.port]) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(async () => (await eventsOf(port, name)).includes('waiting'), 'the request');
    socket.destroy();
    await until(
      async () => (await eventsOf(port, name)).some((event: string) => event.startsWith('res close')),
      'close',
    );
    events.push((await eventsOf(port, name)).sort());
  }
  expect(events[0].length).toBeGreaterThan(2);
  expect(events[1]).toEqual(events[0]);
});

test('a client that reads slowly makes write() return false until it has read', async () => {
  const before = process.memoryUsage().arrayBuffers;
  const socket = connect(shards.port, '127.0.0.1').pause();
  socket.write('GET /endless-writes HTTP/1.1\r\nHost: x\r\n\r\n');
  const written = async () => Number((await eventsOf(shards.port, 'endless-writes'))[0] ?? 0);
  let last = -1;
  await until(async () => {
    const now = await written();
    const isStuck = now > 0 && now === last;
    last = now;
    return isStuck;
  }, 'the end of the writes');
  expect(last).toBeLessThan(30_000_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
  socket.destroy();
  await until(
    async () => (await eventsOf(shards.port, 'endless-writes')).at(-1) === 'closed',
    'the end of the response',
  );
});
