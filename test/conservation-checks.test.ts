/* Checks that the conservation stress tests detect errors. */
import { describe, expect, test } from '@jest/globals';
import { compareLogs, notBack } from './support/conservation.js';
import type { Figures } from './support/measured-server.js';
import { createRandom } from './support/random.js';

const { ResponseReader } = await import(new URL('./fixtures/conservation/responses.js', import.meta.url).href);
const { drawRequest } = await import(new URL('./fixtures/conservation/requests.js', import.meta.url).href);

const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (...chunks: string[]) => {
  const coded = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${coded}0\r\n\r\n`;
};
const error = 'HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlost';

describe('a client of the conservation tests', () => {
  /** Reads bytes in pieces of this size; returns the statuses. */
  function read(received: string, bodies: string[], piece: number, method = 'GET'): string[] {
    const outcomes: string[] = [];
    const reader = new ResponseReader((request: { nonce: string }, status: number, closes: boolean) =>
      outcomes.push(`${request.nonce} ${status}${closes ? ' closes' : ''}`),
    );
    for (const [i, body] of bodies.entries()) {
      reader.owe({ nonce: String(i), kind: 'text', method, expected: () => Buffer.from(body) });
    }
    const bytes = Buffer.from(received);
    for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
    return outcomes;
  }

  test.each([1, 3, 10_000])('reads pipelined responses that arrive %i bytes at a time', (piece) => {
    const received = ok('first') + chunked('sec', 'ond') + ok('') + error;
    expect(read(received, ['first', 'second', '', 'x'], piece)).toEqual(['0 200', '1 200', '2 200', '3 502 closes']);
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', ['first'], piece, 'HEAD')).toEqual(['0 200']);
  });

  test.each([
    ['the response to another request', ok('second') + ok('first!'), ['first!', 'second'], 'instead of first!'],
    ['one wrong byte', ok('firsT'), ['first'], 'at byte'],
    ['a response that is too short', ok('firs'), ['first'], 'a length of 4 instead of 5'],
    ['a stream that is too short', chunked('firs'), ['first'], '4 bytes instead of 5'],
    ['a stream that is too long', chunked('first', '!'), ['first'], 'more than 5 bytes'],
    ['a repeated response', ok('first') + ok('first'), ['first'], 'unexpected response'],
    ['bytes after a response', `${ok('first')}!\r\n\r\n`, ['first', 'second'], 'not a response'],
  ])('stops at %s', (_what, received, bodies, message) => {
    for (const piece of [1, 4, 10_000]) expect(() => read(received, bodies, piece)).toThrow(message);
  });

  test('creates requests of every kind, correctly encoded', () => {
    const random = createRandom();
    const kinds = new Set<string>();
    for (let i = 0; i < 2_000; i++) {
      const { kind, bytes, nonce } = drawRequest(`n${i}`, 'all', random);
      kinds.add(kind);
      expect(Buffer.concat(bytes).toString('latin1', 0, 40)).toMatch(/^(GET|HEAD|POST) \/[a-z-]+\/n/);
      expect(nonce).toBe(`n${i}`);
    }
    expect(kinds.size).toBe(15);
  });
});

describe('the logs of clients and handlers', () => {
  const compare = (outcome: string, starts: number) =>
    compareLogs(new Map([['n', { kind: 'text', outcome }]]), new Map(starts > 0 ? [['n', starts]] : []));

  test.each([
    ['200', 1],
    ['502', 1],
    ['cut', 1],
    ['503', 0],
    ['behind', 0],
    ['left', 0],
    ['left', 1],
  ])('match: %s, started %i times', (outcome, starts) => {
    expect(compare(outcome, starts)).toEqual([]);
  });

  test.each([
    ['200', 0],
    ['200', 2],
    ['502', 0],
    ['502', 2],
    ['503', 1],
    ['behind', 1],
    ['cut', 0],
    ['left', 2],
    ['lost', 0],
    ['lost', 1],
    ['408', 0],
  ])('do not match: %s, started %i times', (outcome, starts) => {
    expect(compare(outcome, starts)).toHaveLength(1);
  });

  test('do not match if a handler was started for a request that no client sent', () => {
    expect(compareLogs(new Map(), new Map([['n', 1]]))).toEqual([
      '1 × started, but not sent by any client, for example n',
    ]);
    expect(compareLogs(new Map(), new Map([['end-1', 1]]))).toEqual([]);
  });
});

test('names the resources that have leaked, including extents', () => {
  const shard = { shard: 0, outstanding: 0, queued: 0, lostWakeUps: 0, permits: { available: 3, limit: 4 } };
  const stats = {
    ...{ slots: { free: 1, total: 2 }, outstanding: 5, lostWakeUps: 0, shards: [shard], routes: [] },
    extents: [
      { free: 4, total: 4 },
      { free: 0, total: 1 },
    ],
  };
  expect(notBack({ stats } as unknown as Figures)).toEqual([
    'slots: 1 of 2',
    'extents 1: 0 of 1',
    'permits of shard 0: 3 of 4',
    'outstanding requests: 5',
  ]);
});
