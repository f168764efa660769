import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exchange, get, post, RawClient } from './support/client.js';
import { disconnectMany, startWatched, watchParsers } from './support/disconnects.js';
import { createRandom } from './support/random.js';
import { expectConserved, type TestServer, until } from './support/server.js';

const parsers = watchParsers();
let running: TestServer;

beforeAll(async () => {
  running = await startWatched({ memory: { slotBytes: 4_096 } });
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

/** Disconnects the client at once: resets the connection, or ends its side in order. */
function leave(client: RawClient, how: 'reset' | 'end'): void {
  if (how === 'reset') client.socket.resetAndDestroy();
  else client.socket.end();
}

async function expectQuiet(): Promise<void> {
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
  expect((await exchange(running.port, get('/json'))).status).toBe(200);
}

test.each(['reset', 'end'] as const)(
  'leaks nothing if a client disconnects (%s) after any byte of its request',
  async (how) => {
    const requests = [
      Buffer.from(get('/sync/1', 'X-Test: v')),
      post('/echo', 'some body'),
      Buffer.from('POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'),
    ];
    for (const bytes of requests) {
      for (let offset = 1; offset <= bytes.length; offset++) {
        const client = await RawClient.open(running.port);
        await client.send(bytes.subarray(0, offset));
        leave(client, how);
      }
    }
    await expectQuiet();
  },
);

test.each(['reset', 'end'] as const)(
  'leaks nothing if a client disconnects (%s) after any byte of its response',
  async (how) => {
    const whole = 200;
    for (let bytes = 1; bytes < whole; bytes++) {
      const client = await RawClient.open(running.port);
      client.write(get('/json') + get('/later/1/x'));
      let seen = 0;
      client.socket.on('data', (chunk) => {
        seen += chunk.length;
        if (seen >= bytes) leave(client, how);
      });
      client.socket.once('end', () => client.destroy());
      if (how === 'end') await until(() => seen >= bytes || client.ended, 'the response');
      else await client.closed();
    }
    await expectQuiet();
  },
);

test('leaks nothing if clients disconnect while their handlers run', async () => {
  const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.open(running.port)));
  for (const [i, client] of clients.entries()) client.write(get(`/later/${300 + i}/x`) + get('/large/9000'));
  await until(() => running.server.stats().outstanding >= 40, 'the requests to arrive');
  for (const client of clients) client.destroy();
  await expectQuiet();
});

test('releases the buffered responses of a client that stops reading and disconnects', async () => {
  const client = await RawClient.open(running.port);
  client.socket.pause();
  client.write(get('/large/3000').repeat(60) + get('/large/1000000').repeat(4));
  await until(() => {
    const { outstanding, slots } = running.server.stats();
    return outstanding === 0 && slots.free < slots.total;
  }, 'responses that wait for the client');
  client.destroy();
  await expectQuiet();
});

test('leaks nothing if 2,000 clients disconnect at random places', async () => {
  await disconnectMany(running, parsers, 2_000, createRandom());
});
