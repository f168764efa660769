import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { checkServer } from '../bench/http/check.js';
import { readOptions } from '../bench/http/options.js';
import { PEERS } from '../bench/http/peers.js';
import type { RunningServer } from '../bench/http/server-process.js';
import { summarize } from '../bench/http/servers/sizes.js';
import { drawBars, drawChart } from '../bench/http/sizes/chart.js';
import { CLUSTER, FASTIFY, makeExchanges, TWO_SHARDS } from '../bench/http/sizes/exchanges.js';
import { formatSizes, judgeExchanges } from '../bench/http/sizes/report.js';

const CONNECTIONS = 20;
const exchanges = makeExchanges();

function measurement(round: number, peer: string, exchange: string, requestsPerSecond: number, p99Us = 1_000) {
  const load = { requests: 1, bytes: 1, seconds: 1, p50Us: 1, p99Us, errors: {} };
  return { round, peer, connections: CONNECTIONS, exchange, requestsPerSecond, p50Us: 1, p99Us, load };
}

describe('the options of bench:http', () => {
  test('depend on the workload', () => {
    expect(readOptions([])).toMatchObject({ workload: 'message', rounds: 5, connections: [1, 50, 500], exchanges: [] });
    expect(readOptions([]).peers).toEqual(PEERS.message);
    const { peers, exchanges: all, ...sizes } = readOptions(['--workload', 'sizes', '--seconds', '7']);
    expect(sizes).toMatchObject({ rounds: 3, seconds: 7, connections: [20] });
    expect([peers.length, all.length]).toEqual([0, exchanges.length]);
  });

  test('select what is measured, and reject unknown names', () => {
    const { exchanges: chosen } = readOptions(['--workload', 'sizes', '--only', 'post-20k, text-1m']);
    expect(chosen.map(({ id }) => id)).toEqual(['text-1m', 'post-20k']);
    expect(() => readOptions(['--workload', 'sizes', '--only', 'text-2k'])).toThrow(/"text-2k".*text-4k, text-15k/);
    expect(() => readOptions(['--workload', 'size'])).toThrow(/"size".*message, connections, tls, rows, sizes/);
    expect(() => readOptions(['--workload', 'sizes', '--connections', '1,20'])).toThrow('one number');
    expect(() => readOptions(['--rounds', '0'])).toThrow('--rounds');
    expect(() => readOptions(['--profile', '--workload', 'rows'])).toThrow('--profile');
  });
});

describe('the exchanges of the workload sizes', () => {
  test('have the sizes that their names state', () => {
    for (const { id, bytes, expected, posted } of exchanges) {
      const body = posted ?? expected.body;
      expect([id, Buffer.byteLength(body)]).toEqual([id, bytes]);
      if (posted) expect(expected.body).toBe(JSON.stringify(summarize(JSON.parse(posted))));
    }
    expect(new Set(exchanges.map(({ id }) => id)).size).toBe(exchanges.length);
  });
});

describe('a response of the right length', () => {
  async function check(answer: string, expected: string): Promise<number> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': answer.length }).end(answer);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const peer = { ...PEERS.message[0], body: expected, type: 'text/plain' };
    try {
      return await checkServer({ peer, url } as RunningServer);
    } finally {
      server.close();
    }
  }
  const text = 'x'.repeat(300_000);

  test('passes if every byte is right', async () => {
    expect(await check(text, text)).toBeGreaterThan(text.length);
  });

  test('fails if one byte is wrong', async () => {
    await expect(check(`${text.slice(0, 200_000)}y${text.slice(200_001)}`, text)).rejects.toThrow('the body is');
  });
});

describe('the goals of the workload sizes', () => {
  const of = (...ids: string[]) => exchanges.filter(({ id }) => ids.includes(id));
  const chosen = of('text-4k', 'text-20k', 'rows-300');
  // The machine was half as fast in the second round.
  const measurements = [1, 2].flatMap((round) => [
    measurement(round, 'loopshard', 'text-20k', 130 / round),
    measurement(round, FASTIFY, 'text-20k', 100 / round),
    measurement(round, TWO_SHARDS, 'text-20k', 99 / round),
    measurement(round, CLUSTER, 'text-20k', 100 / round),
    measurement(round, TWO_SHARDS, 'rows-300', 95 / round, 2_001),
    measurement(round, CLUSTER, 'rows-300', 100 / round, 2_000),
  ]);

  test('are checked round by round: requests/s must not be lower, p99 not higher', () => {
    const judged = judgeExchanges(chosen, measurements, CONNECTIONS);
    expect(judged.map(({ exchange, peer, figure, verdict }) => [exchange, peer, figure, verdict])).toEqual([
      ['text-20k', 'loopshard', 'requestsPerSecond', 'reached'],
      ['text-20k', TWO_SHARDS, 'requestsPerSecond', 'MISSED'],
      ['rows-300', TWO_SHARDS, 'requestsPerSecond', 'reached'],
      ['rows-300', TWO_SHARDS, 'p99Us', 'MISSED'],
    ]);
  });

  test('are shown next to the figures', () => {
    const [, rates, p99s] = formatSizes(chosen, measurements, CONNECTIONS).split('\n\n');
    expect(rates).toMatch(/^text, 20 kB .* 1\.30 × {2}≥ 1\.30 reached .*0\.99 × {2}≥ 1\.00 MISSED$/m);
    expect(rates).toMatch(/^text, 4 kB +– +– +– +– +– +–$/m);
    expect(p99s).toMatch(/^300 rows, no schema .* 1\.00 × {2}≤ 1\.00 MISSED$/m);
  });
});

test('charts show every server at every size', () => {
  const point = (x: string, median: number) => ({ x, median, min: median * 0.9, max: median * 1.1 });
  const line = (title: string, factor: number) => ({
    peer: title,
    title,
    points: [point('4 kB', 80_000 * factor), point('1 MiB', 500 * factor)],
  });
  const panel = { title: 'a < b', sizes: ['4 kB', '1 MiB'], lines: [line('ours', 1), line('theirs', 0.5)] };
  const svg = drawChart([panel, panel], ['a note']);
  expect(svg.match(/<circle/g)).toHaveLength(8);
  expect(svg).toContain('a &lt; b');
  expect(svg).not.toContain('NaN');
  const y = [...svg.matchAll(/<circle cx="[\d.]+" cy="([\d.]+)"/g)].map(([, cy]) => Number(cy));
  // Higher up: more requests.
  expect(y[0]).toBeLessThan(y[2]);
  expect(y[2]).toBeLessThan(y[1]);
  expect(drawBars(panel)).toMatch(/4 kB\n {2}ours {4}█{40} 80,000\n {2}theirs {2}█{20} 40,000\n1 MiB\n/);
});
