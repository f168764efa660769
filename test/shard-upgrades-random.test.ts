import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { get, post, RawClient } from './support/client.js';
import { createRandom } from './support/random.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

/*
 * Random requests before an upgrade, and random data after it, arrive in random pieces; either side may end at any time. Every byte that
 * arrives is the expected one, and nothing leaks.
 */
const OFFER = ['Connection: Upgrade', 'Upgrade: shout'];
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n';
const ROUNDS = 150;
const MOST_AT_ONCE = 12;

let running: TestServer;

beforeAll(async () => {
  running = await startServer({ shards: 2 }, 'upgrades.js');
});

afterAll(() => running.server.close());

/** What a connection sends and receives. */
interface Script {
  pieces: Buffer[];
  responses: string[];
  /** What follows the responses; undefined if the connection stays HTTP. */
  shouted: string | undefined;
  ends: 'in order' | 'by reset' | 'by reset, midway';
  /** Number of pieces that are sent before a reset midway. */
  stop: number;
}

function script(random: () => number): Script {
  const below = (count: number) => Math.floor(random() * count);
  const parts: Buffer[] = [];
  const responses: string[] = [];
  const add = (bytes: string | Buffer, response: string) => {
    parts.push(Buffer.from(bytes as string));
    responses.push(response);
  };
  const text = (most: number) => 'abcdefghij'.repeat(1 + below(most / 10)).slice(0, 1 + below(most));
  for (let i = below(6); i > 0; i--) {
    const body = text(below(5) === 0 ? 50_000 : 200);
    const kinds: (() => void)[] = [
      () => add(get('/plain'), 'plain'),
      () => add(get(`/later/${below(5)}/${body.slice(0, 20)}`), body.slice(0, 20)),
      () => add(post('/echo', body), body),
      () => add(get('/private/shout', ...OFFER), '401'),
      () => add(get('/plain', ...OFFER), 'plain'),
      () => add(post('/echo', body, ...OFFER), body),
    ];
    kinds[below(kinds.length)]();
  }
  let shouted: string | undefined;
  if (below(5) > 0) {
    const large = below(6) === 0 ? [`X-Large: ${'x'.repeat(12_000)}`] : [];
    parts.push(Buffer.from(get('/shout', ...OFFER, ...large)));
    const data = below(4) === 0 ? text(300_000) : text(2_000);
    parts.push(Buffer.from(data));
    shouted = SWITCHING + data.toUpperCase();
  }
  const all = Buffer.concat(parts);
  const pieces: Buffer[] = [];
  const longest = [1, 30, 1_000, 100_000][below(4)];
  for (let at = 0; at < all.length; ) {
    // Single bytes would take too long for the largest.
    const end = at + Math.max(1 + below(longest), Math.floor(all.length / 400));
    pieces.push(all.subarray(at, end));
    at = end;
  }
  const ends = (['in order', 'in order', 'by reset', 'by reset, midway'] as const)[below(4)];
  return { pieces, responses, shouted, ends, stop: below(pieces.length + 1) };
}

async function play({ pieces, responses, shouted, ends, stop }: Script): Promise<void> {
  const client = await RawClient.open(running.port, { allowHalfOpen: true });
  const isMidway = ends === 'by reset, midway';
  for (const piece of isMidway ? pieces.slice(0, stop) : pieces) await client.send(piece);
  if (isMidway) return void client.socket.resetAndDestroy();
  for (const expected of responses) {
    const { status, body } = await client.response();
    expect(status === 401 ? '401' : body.toString()).toBe(expected);
  }
  if (ends === 'in order') client.socket.end();
  if (shouted !== undefined) {
    await until(() => client.pending.length >= shouted.length || client.ended, 'all data');
    expect(client.pending.toString('latin1') === shouted).toBe(true);
  }
  if (ends === 'in order') await client.closed();
  else client.socket.resetAndDestroy();
}

test('every byte arrives once, and nothing leaks', async () => {
  const random = createRandom();
  const scripts = Array.from({ length: ROUNDS }, () => script(random));
  const player = async () => {
    for (let next = scripts.pop(); next !== undefined; next = scripts.pop()) await play(next);
  };
  await Promise.all(Array.from({ length: MOST_AT_ONCE }, player));
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
  expect(running.server.stats().shards.map(({ upgrades }) => upgrades)).toEqual([0, 0]);
  expect(running.logged).toEqual([]);
});
