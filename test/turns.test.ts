import { setImmediate } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { get, RawClient } from './support/client.js';
import { ONE_HTTP_THREAD, startServer } from './support/server.js';

const CLIENTS = 300;
/** On a busy machine, the shard may get no time while the HTTP thread reads. */
const ATTEMPTS = 100;

test('a turn of the HTTP thread that reads many requests sends responses before its end', async () => {
  const { server, port } = await startServer({ shards: 1, memory: { slots: 512 }, ...ONE_HTTP_THREAD });
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.open(port)));
  const responses = async () => {
    for (const client of clients) expect((await client.response()).status).toBe(200);
  };
  // Afterwards, all connections are accepted.
  for (const client of clients) client.write(get('/thread'));
  await responses();
  let outstanding = CLIENTS;
  for (let attempt = 0; attempt < ATTEMPTS && outstanding === CLIENTS; attempt++) {
    // Server and clients share an event loop. What is written behind its reads is read in its next turn, all at once.
    await setImmediate();
    for (const client of clients) client.write(get('/thread'));
    // Behind those reads, and before anything that they have scheduled.
    await setImmediate();
    outstanding = server.stats().outstanding;
    await responses();
  }
  expect(outstanding).toBeLessThan(CLIENTS);
  expect(server.stats().outstanding).toBe(0);
  for (const client of clients) client.destroy();
  await server.close();
});
