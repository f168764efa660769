import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { get, RawClient } from './support/client.js';
import { createRandom } from './support/random.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

const REQUESTS = 200_000;
const CONNECTIONS = 64;
const MAX_PIPELINED = 16;

let running: TestServer;

beforeAll(async () => {
  running = await startServer({ shards: 2 });
});

afterAll(async () => {
  await running.server.close();
});

/** Mostly handlers that respond immediately, some that respond later, few large responses. */
function target(kind: number, nonce: string): string {
  if (kind < 0.5) return `/sync/${nonce}`;
  if (kind < 0.95) return `/async/${nonce}`;
  return `/later/${Math.floor(kind * 1000) % 4}/${nonce}`;
}

test(`${REQUESTS} requests over ${CONNECTIONS} connections, pipelined, each with a nonce: none is lost, duplicated or mixed up`, async () => {
  const random = createRandom();
  const seen = new Set<string>();
  let issued = 0;
  async function client(number: number): Promise<void> {
    const connection = await RawClient.open(running.port);
    while (issued < REQUESTS) {
      const count = Math.min(1 + Math.floor(random() * MAX_PIPELINED), REQUESTS - issued);
      const nonces = Array.from({ length: count }, (_, i) => `${number}-${issued + i}`);
      issued += count;
      connection.write(nonces.map((nonce) => get(target(random(), nonce))).join(''));
      for (const nonce of nonces) {
        const { status, body } = await connection.response();
        const answer = body.toString();
        if (status !== 200 || answer !== nonce) throw new Error(`${nonce} got the response ${status} ${answer}`);
        if (seen.has(answer)) throw new Error(`${nonce} got two responses`);
        seen.add(answer);
      }
    }
    expect(connection.pending.length).toBe(0);
    connection.destroy();
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, number) => client(number)));
  expect(seen.size).toBe(REQUESTS);
  await expectConserved(running);
  const { shards } = running.server.stats();
  expect(shards.reduce((sum, shard) => sum + shard.requests, 0)).toBe(REQUESTS);
}, 180_000);
