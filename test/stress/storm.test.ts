import { afterEach, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { get, post, RawClient } from '../support/client.js';
import { createRandom } from '../support/random.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';

/* Uses all scheduling features at once, while clients disconnect and shards end: no request is lost or mixed up. */
const SECONDS = 8;
const CLIENTS = 48;
const PATHS = ['quick', 'high', 'low', 'burn', 'sleep', 'late', 'hasty', 'keyed', 'other', 'throw'];

let running: TestServer;

afterEach(async () => {
  await running.server.close();
});

/** Sends up to 8 requests at once, and reads their responses or disconnects. Returns the number of responses by status. */
async function visit(port: number, random: () => number, statuses: Map<number, number>, exits: boolean): Promise<void> {
  const client = await RawClient.open(port);
  const nonces = Array.from({ length: 1 + Math.floor(random() * 8) }, () => random().toString(36).slice(2));
  const large = 'x'.repeat(20_000);
  for (const nonce of nonces) {
    const dice = random();
    if (dice < 0.1) client.write(post(`/echo/${nonce}`, large));
    else if (exits && dice < 0.102) client.write(get(`/exit/${nonce}`));
    else client.write(get(`/${PATHS[Math.floor(random() * PATHS.length)]}/${nonce}`));
  }
  const leavesAfter = random() < 0.3 ? Math.floor(random() * nonces.length) : nonces.length;
  for (const nonce of nonces.slice(0, leavesAfter)) {
    const { status, body } = await client.response();
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const text = body.toString();
    if (status === 200 && text !== nonce && text !== `${nonce}${large.length}`) throw new Error(`${nonce} got ${text}`);
  }
  if (leavesAfter < nonces.length && random() < 0.5) client.socket.resetAndDestroy();
  else client.destroy();
}

const shed = { targetMs: 10, intervalMs: 50 };
const variants: [string, ServeOptions, boolean][] = [
  [
    'with stealing',
    {
      groups: { default: 3, other: 1 },
      scheduling: { permits: 8, batch: 4, maxQueue: 64, shed },
      memory: { slots: 256 },
    },
    false,
  ],
  [
    'without stealing',
    { groups: { default: 2, other: 1 }, scheduling: { steal: false, permits: 4, shed }, memory: { slots: 128 } },
    false,
  ],
  [
    'adaptive',
    {
      groups: { default: 2, other: 2 },
      scheduling: { permits: { initial: 4, min: 1, max: 16 } },
      memory: { slots: 128 },
    },
    false,
  ],
  [
    'with shards that end',
    {
      groups: { default: 3, other: 1 },
      scheduling: { permits: 8, shed },
      memory: { slots: 256 },
      recovery: { maxRestarts: 0 },
    },
    true,
  ],
];

test.each(variants)(
  'loses and mixes up no request under random load, %s',
  async (_name, options, exits) => {
    const random = createRandom();
    running = await startServer(options, 'storm-app.js');
    const statuses = new Map<number, number>();
    const end = performance.now() + SECONDS * 1_000;
    let changes = 0;
    const visits = Array.from({ length: CLIENTS }, async () => {
      while (performance.now() < end) {
        await visit(running.port, random, statuses, exits);
        if (random() < 0.01) {
          running.server.setPermits(1 + Math.floor(random() * 12), { route: 'GET /sleep/:nonce' });
          changes++;
        }
      }
    });
    await Promise.all(visits);
    await until(() => running.server.stats().shards.every(({ state }) => state === 'ready'), 'all shards to be ready');
    await until(() => running.server.stats().connections === 0, 'the end of all connections');
    await expectConserved(running);
    expect(statuses.get(200)).toBeGreaterThan(1_000);
    expect(statuses.get(504)).toBeGreaterThan(0);
    expect(changes).toBeGreaterThan(0);
    process.stderr.write(`responses by status: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}\n`);
  },
  60_000,
);
