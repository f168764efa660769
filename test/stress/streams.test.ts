import { expect, test } from '@jest/globals';
import { exchange, get, RawClient } from '../support/client.js';
import { createRandom } from '../support/random.js';
import { expectConserved, startServer, until } from '../support/server.js';

const CLIENTS = 1_500;
const AT_ONCE = 40;
const PATHS = [
  '/large/5/50000',
  '/endless?name=stress',
  '/ticks?name=stress',
  '/constant/2',
  '/fails-later',
  '/fails-first',
  '/slow-first/3',
  '/plain',
  '/none',
  '/text',
];

test('leaks nothing when clients of streams disconnect at random places', async () => {
  const running = await startServer({ compress: true, memory: { slotBytes: 4_096 } }, 'streams.js');
  const random = createRandom();
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];

  async function visit(): Promise<void> {
    const client = await RawClient.open(running.port);
    const fields = random() < 0.3 ? ['Accept-Encoding: gzip'] : [];
    const paths = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(PATHS));
    const enough = Math.floor(random() * 400_000);
    const leaveMs = Math.floor(random() * 30);
    const how = pick(['end', 'destroy', 'reset'] as const);
    if (random() < 0.2) client.socket.pause();
    client.write(paths.map((path) => get(path, ...fields)).join(''));
    const late = performance.now() + leaveMs;
    await until(
      () => client.ended || client.pending.length >= enough || performance.now() > late,
      'the clients to disconnect',
    );
    if (how === 'reset') client.socket.resetAndDestroy();
    else {
      if (how === 'end') client.socket.end();
      client.destroy();
    }
  }

  let left = CLIENTS;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await visit();
    }),
  );
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
  expect((await exchange(running.port, get('/plain'))).status).toBe(200);
  expect(running.server.stats().shards.map(({ restarts }) => restarts)).toEqual([0, 0]);
  await running.server.close();
}, 120_000);
