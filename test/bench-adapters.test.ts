import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { SCENARIOS } from '../bench/adapters/scenarios/index.js';
import { formatReport } from '../bench/scheduling/report.js';
import type { Sample } from '../bench/scheduling/samples.js';
import { Program } from './support/process.js';

/** The figures of an app on LoopShard and on its usual server, of which the machine had only half in the second round. */
function samples(app: string, phase: string, figure: string, ours: number, usual: number): Sample[] {
  return [1, 2].flatMap((round) => [
    { round, phase, variant: `${app}-usual`, figures: { [figure]: usual / round } },
    { round, phase, variant: `${app}-loopshard`, figures: { [figure]: ours / round } },
  ]);
}

describe('the targets of bench:adapters', () => {
  const verdicts = (name: string, measured: Sample[]) =>
    SCENARIOS[name]()
      .judge(measured)
      .filter(({ verdict }) => verdict !== 'not measured')
      .map(({ what, reach, verdict }) => [what, reach, verdict]);

  test('one shard: requests/s, by framework', () => {
    const of = (app: string, ratio: number) => samples(app, '', 'perSecond', 100 * ratio, 100);
    const measured = [of('hono', 1.7), of('h3', 0.5), of('express', 1.69), of('koa', 1.5), of('fastify', 1.14)];
    expect(verdicts('one-shard', measured.flat())).toEqual([
      ['Hono on a shard: requests/s vs. @hono/node-server', '≥ 1.70 ×', 'reached'],
      ['Express on a shard: requests/s vs. node:http', '≥ 1.70 ×', 'MISSED'],
      ['Koa on a shard: requests/s vs. node:http', '≥ 1.50 ×', 'reached'],
      ['Fastify on a shard: requests/s vs. node:http', '≥ 1.15 ×', 'MISSED'],
    ]);
  });

  test('two shards: requests/s of every app, at least those of two processes', () => {
    const measured = [...samples('h3', '', 'perSecond', 99, 100), ...samples('koa', '', 'perSecond', 100, 100)];
    expect(SCENARIOS['two-shards']().judge([])).toHaveLength(6);
    expect(verdicts('two-shards', measured)).toEqual([
      ['h3 on 2 shards: requests/s vs. srvx, cluster(2)', '≥ 1.00 ×', 'MISSED'],
      ['Koa on 2 shards: requests/s vs. node:http, cluster(2)', '≥ 1.00 ×', 'reached'],
    ]);
  });

  test('a light route next to a heavy one: p99, at most a fifth of that of two processes', () => {
    const measured = [...samples('hono', 'busy', 'p99Us', 21, 100), ...samples('fastify', 'busy', 'p99Us', 20, 100)];
    expect(SCENARIOS.heavy().judge([])).toHaveLength(5);
    expect(verdicts('heavy', measured)).toEqual([
      ['Hono: p99 of /livez vs. @hono/node-server, cluster(2)', '≤ 0.20 ×', 'MISSED'],
      ['Fastify: p99 of /livez vs. node:http, cluster(2)', '≤ 0.20 ×', 'reached'],
    ]);
  });
});

test('each app on LoopShard is compared with the same app on its usual server', () => {
  const measured = [...samples('hono', '', 'perSecond', 200, 100), ...samples('koa', '', 'perSecond', 30, 20)];
  const rows = formatReport(SCENARIOS['one-shard'](), measured, []).split('\n');
  const ratioOf = (title: string) => rows.find((row) => row.startsWith(`${title}  `))?.split(/ {2,}/)[2];
  expect(['Hono on @hono/node-server', 'Hono on a shard', 'Koa on node:http', 'Koa on a shard'].map(ratioOf)).toEqual([
    '–',
    '2.00 ×',
    '–',
    '1.50 ×',
  ]);
});

test('bench:adapters checks the responses of all servers, and measures the chosen ones', async () => {
  const json = join(tmpdir(), `loopshard-adapters-${process.pid}.json`);
  const args = ['heavy', '--only', 'koa-loopshard,h3-usual', '--rounds', '1', '--seconds', '1', '--json', json];
  const program = new Program(process.execPath, ['bench/adapters/main.js', ...args]);
  expect(await program.exit()).toBe(0);
  expect(program.stderr).toContain('2 servers respond correctly.');
  const [{ samples: measured, losses }] = JSON.parse(readFileSync(json, 'utf8'));
  rmSync(json);
  expect(measured.map(({ variant }: Sample) => variant)).toEqual(['koa-loopshard', 'h3-usual']);
  for (const { figures } of measured) expect(figures.p99Us).toBeGreaterThan(0);
  expect(losses).toEqual([]);
}, 180_000);
