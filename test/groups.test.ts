import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { exchange, get } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';
import { outcome, type Pending, Stage } from './support/stage.js';

let running: TestServer;
let stage: Stage;

beforeEach(async () => {
  stage = new Stage();
  const options = { groups: { default: 1, slow: 2 }, memory: { slots: 30 }, scheduling: { maxQueue: 1_024 } };
  running = await startServer({ ...ONE_HTTP_THREAD, ...options }, 'groups-app.js');
});

afterEach(async () => {
  stage.end();
  await expectConserved(running);
  await running.server.close();
});

async function thread(target: string): Promise<number> {
  const { status, body } = await exchange(running.port, get(target));
  expect(status).toBe(200);
  return JSON.parse(body.toString()).threadId;
}

/** Sends requests that block the shards of the group, more than the group has slots. */
async function saturate(): Promise<Pending[]> {
  const pending = await Promise.all(Array.from({ length: 25 }, () => stage.send(running, '/slow/hold')));
  await until(() => running.server.stats().refused.NO_SLOT === 5, 'the slots of the group to fill');
  return pending;
}

test('each group runs its routes on its own shards', async () => {
  const standard = new Set<number>();
  for (let i = 0; i < 8; i++) standard.add(await thread('/thread'));
  // Three at once on two shards. Each request blocks its thread.
  const held = await Promise.all(['a', 'b', 'c'].map((id) => stage.send(running, `/slow/${id}`)));
  const busy = () => running.server.stats().shards.map(({ permits: { limit, available } }) => limit - available);
  await until(
    () =>
      busy()
        .slice(1)
        .every((count) => count > 0),
    'a request on both shards of the group',
  );
  expect(busy()[0]).toBe(0);
  stage.release('a', 'b', 'c');
  const answers = await Promise.all(held.map(({ response }) => response));
  const slow = new Set(answers.map(({ body }) => JSON.parse(body.toString()).threadId));
  expect([standard.size, slow.size]).toEqual([1, 2]);
  expect([...standard].some((one) => slow.has(one))).toBe(false);
  expect(running.server.stats().shards.map(({ group }) => group)).toEqual(['default', 'slow', 'slow']);
});

test('a group has slots in proportion to its shards, and exhausting them does not affect the other group', async () => {
  const pending = await saturate();
  for (let i = 0; i < 20; i++) await thread('/thread');
  expect(running.server.stats().slots).toEqual({ free: 10, total: 30 });
  stage.release('hold');
  const outcomes = await Promise.all(pending.map(({ response }) => outcome(response)));
  expect(outcomes.filter(([status]) => status === 200)).toHaveLength(20);
  expect(outcomes.filter(([, code]) => code === 'NO_SLOT')).toHaveLength(5);
});

test('a shard steals nothing from another group', async () => {
  const pending = await saturate();
  const [idle] = running.server.stats().shards;
  for (let i = 0; i < 5; i++) await thread('/thread');
  const [standard, ...slow] = running.server.stats().shards;
  expect([standard.steals, standard.requests - idle.requests]).toEqual([0, 5]);
  expect(slow.reduce((sum, { outstanding }) => sum + outstanding, 0)).toBe(20);
  stage.release('hold');
  await Promise.all(pending.map(({ response }) => response));
});

test('a group without a thread rejects only its own requests, and the server is not ready', async () => {
  const lost = await Promise.all([1, 2].map(() => exchange(running.port, get('/slow/exit'))));
  for (const response of lost) expect([502, 503]).toContain(response.status);
  await thread('/thread');
  await until(() => running.server.stats().shards.every(({ state }) => state === 'ready'), 'the replacements');
  await thread('/slow/thread');
});

test('permits can be set by group', () => {
  running.server.setPermits(9, { group: 'slow' });
  expect(running.server.stats().shards.map(({ permits }) => permits.limit)).toEqual([512, 9, 9]);
});
