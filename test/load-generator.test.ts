import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { runLoad } from '../bench/scheduling/generator/load.js';
import { ResponseReader } from '../bench/scheduling/generator/response-reader.js';
import { arrivalTimes, seededRandom, weightedChoice } from '../bench/scheduling/generator/schedule.js';
import { get } from './support/client.js';
import { createRandom, seed } from './support/random.js';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function listen(listener: RequestListener): Promise<number> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const plan = { seconds: 1, graceSeconds: 2, seed };
const kind = (name: string, weight = 1) => ({ name, weight, requests: [get(`/${name}`)] });

describe('the reader', () => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\ndate: now\r\n\r\n',
    'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length:0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nHTTP/1.1 ',
  ];
  const read = (pieces: Buffer[]) => {
    const seen: [number, boolean][] = [];
    const reader = new ResponseReader((status: number, closes: boolean) => seen.push([status, closes]));
    for (const piece of pieces) reader.push(piece, piece.length);
    return seen;
  };
  const expected = [200, 204, 503, 200].map((status) => [status, status === 503]);

  test('parses responses however they are split', () => {
    const bytes = Buffer.from(answers.join(''));
    expect(read([bytes])).toEqual(expected);
    expect(read(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(expected);
    const random = createRandom();
    for (let i = 0; i < 200; i++) {
      const pieces = [];
      for (let at = 0, to = 0; at < bytes.length; at = to) {
        to = at + 1 + Math.floor(random() * 60);
        pieces.push(bytes.subarray(at, to));
      }
      expect(read(pieces)).toEqual(expected);
    }
  });

  test('rejects invalid responses', () => {
    const chunked = Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    expect(() => read([chunked])).toThrow('a response without content-length');
    expect(() => read([Buffer.from('SSH-2.0-x\r\n\r\n')])).toThrow('not a response: SSH-2.0-x');
  });
});

test('arrival times keep their rate, ascend, and depend only on the seed', () => {
  const times = arrivalTimes(1_000, 20, seededRandom(7));
  expect(Math.abs(times.length - 20_000)).toBeLessThan(600); // four standard deviations
  expect(times.every((time: number, i: number) => i === 0 || time >= times[i - 1])).toBe(true);
  expect(times[times.length - 1]).toBeLessThan(20_000);
  expect(arrivalTimes(1_000, 20, seededRandom(7))).toEqual(times);
  expect(arrivalTimes(1_000, 20, seededRandom(8))).not.toEqual(times);
});

test('kinds of requests keep their weights', () => {
  const choose = weightedChoice([95, 5], seededRandom(1));
  const drawn = Array.from({ length: 20_000 }, choose);
  const share = drawn.filter((index) => index === 1).length / drawn.length;
  expect(share).toBeGreaterThan(0.044);
  expect(share).toBeLessThan(0.056);
});

test('every request of an open loop is counted once, by kind and status', async () => {
  const SLOW_MS = 300;
  const seen: Record<string, number> = {};
  const port = await listen((request, response) => {
    const url = request.url as string;
    seen[url] = (seen[url] ?? 0) + 1;
    if (url === '/refused') response.writeHead(503, { 'content-length': 0 }).end();
    else setTimeout(() => response.setHeader('content-length', 2).end('ok'), url === '/slow' ? SLOW_MS : 0);
  });
  const streams = [
    { perSecond: 300, connections: 40, kinds: [kind('fast', 9), kind('slow', 1)] },
    { perSecond: 100, connections: 10, kinds: [kind('refused')] },
  ];
  const { kinds, lateness } = await runLoad({ ...plan, port, streams });
  for (const [name, outcome] of Object.entries(kinds)) {
    expect(outcome.due).toBe(seen[`/${name}`]);
    expect(outcome.statuses).toEqual({ [name === 'refused' ? 503 : 200]: outcome.due });
    expect([outcome.lost, outcome.unanswered]).toEqual([0, 0]);
  }
  expect(kinds.fast.due + kinds.slow.due).toBeGreaterThan(200);
  expect(kinds.fast.due).toBeGreaterThan(5 * kinds.slow.due);
  expect(kinds.slow.accepted.p50Us).toBeGreaterThan((SLOW_MS - 1) * 1_000);
  expect(kinds.fast.accepted.p50Us).toBeLessThan(kinds.slow.accepted.p50Us);
  expect(kinds.refused.accepted.count).toBe(0);
  expect(kinds.refused.refusals.count).toBe(kinds.refused.due);
  expect(lateness.count).toBe(kinds.fast.due + kinds.slow.due + kinds.refused.due);
});

test('a server that stalls delays every request that was due meanwhile', async () => {
  const STALL_MS = 700;
  let stalledUntil: Promise<unknown> | undefined;
  const port = await listen(async (_request, response) => {
    stalledUntil ??= new Promise((resolve) => setTimeout(resolve, STALL_MS));
    await stalledUntil;
    response.setHeader('content-length', 2).end('ok');
  });
  // A closed loop would report only one slow request per connection.
  const open = await runLoad({ ...plan, port, streams: [{ perSecond: 200, connections: 1, kinds: [kind('open')] }] });
  const { due, accepted, unanswered } = open.kinds.open;
  expect(unanswered).toBe(0);
  expect(accepted.count).toBe(due);
  // Most of the requests were due during the stall, and waited for a third of a second on average.
  expect(accepted.p50Us).toBeGreaterThan(100_000);
  expect(accepted.p99Us).toBeGreaterThan(600_000);
  expect(open.lateness.p99Us).toBeGreaterThan(600_000);

  stalledUntil = undefined;
  const closed = await runLoad({ ...plan, port, streams: [{ connections: 1, kinds: [kind('closed')] }] });
  expect(closed.kinds.closed.accepted.maxUs).toBeGreaterThan(650_000);
  expect(closed.kinds.closed.accepted.p50Us).toBeLessThan(50_000);
});

test('requests without a response are counted, with the time they waited', async () => {
  const port = await listen(() => {});
  const streams = [{ perSecond: 100, connections: 5, kinds: [kind('silent')] }];
  const { kinds } = await runLoad({ ...plan, seconds: 0.5, graceSeconds: 0.2, port, streams });
  const { due, unanswered, accepted, ok } = kinds.silent;
  expect(due).toBeGreaterThan(5);
  expect([unanswered, accepted.count, ok]).toEqual([due, due, 0]);
  expect(accepted.maxUs).toBeGreaterThan(300_000);
});

test('responses that end their connection are counted, and a lost connection counts as one lost request', async () => {
  let answered = 0;
  const port = await listen((_request, response) => {
    if (answered++ % 10 === 9) response.destroy();
    else response.writeHead(200, { 'content-length': 2, connection: 'close' }).end('ok');
  });
  const { kinds } = await runLoad({
    ...plan,
    port,
    streams: [{ perSecond: 200, connections: 4, kinds: [kind('once')] }],
  });
  const { due, statuses, lost, unanswered } = kinds.once;
  expect(due).toBe(answered);
  expect(lost).toBe(Math.floor(answered / 10));
  expect([unanswered, statuses[200]]).toEqual([lost, answered - lost]);
});

test('fails without a server, or if the server does not use HTTP', async () => {
  const streams = [{ connections: 1, kinds: [kind('any')] }];
  const stranger = createTcpServer((socket) => {
    socket.once('data', () => socket.end('SSH-2.0-x\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const { port } = stranger.address() as AddressInfo;
  await expect(runLoad({ ...plan, port, streams })).rejects.toThrow('not a response');
  stranger.close();
  await once(stranger, 'close');
  await expect(runLoad({ ...plan, port, streams })).rejects.toThrow('ECONNREFUSED');
});
