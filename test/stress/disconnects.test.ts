import { expect, test } from '@jest/globals';
import { exchange, get } from '../support/client.js';
import { disconnectMany, startWatched, watchParsers } from '../support/disconnects.js';
import { createRandom } from '../support/random.js';

test('leaks nothing when 100,000 clients disconnect at random places of their requests and responses', async () => {
  const parsers = watchParsers();
  const running = await startWatched();
  await disconnectMany(running, parsers, 100_000, createRandom());
  expect((await exchange(running.port, get('/json'))).status).toBe(200);
  await running.server.close();
}, 600_000);
