import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { judge } from '../bench/core/report.js';
import { CONTENDERS } from '../bench/core/trips.js';
import { Program } from './support/process.js';

test('bench:core checks and times everything', async () => {
  const json = join(tmpdir(), `loopshard-core-${process.pid}.json`);
  const program = new Program(process.execPath, ['bench/core/main.js', '--quick', '--json', json]);
  expect(await program.exit()).toBe(0);
  const { operations, trips, targets } = JSON.parse(readFileSync(json, 'utf8'));
  rmSync(json);
  expect(operations.length).toBeGreaterThan(15);
  for (const { title, ns } of operations) expect([title, ns.median > 0]).toEqual([title, true]);
  expect(trips.map(({ id }: { id: string }) => id)).toEqual(CONTENDERS.map(({ id }) => id));
  expect(targets).toHaveLength(3);
  expect(program.stdout).toContain('ring: publish and poll 1 entry');
});

test.each(CONTENDERS)('$title returns every number plus one', async ({ start }) => {
  const trips = await start();
  for (const value of [0, 41, 7]) expect(await trips.one(value)).toBe(value + 1);
  for (const count of [1, 100, 1_000]) {
    if (trips.many) expect(await trips.many(count)).toBe((count * (count + 1)) / 2);
  }
  await trips.end();
});

test('targets are compared round by round', () => {
  const result = (id: string, p50: number[], each: number[]) => ({ id, title: id, p50, p99: p50, each });
  const targets = judge([
    result('post-message', [10, 20, 30], [4, 4, 4]),
    result('wait', [8, 8, 12], [0.1, 0.2, 0.4]),
    result('spin', [2, 5, 5], [1, 1, 1]),
    result('bare', [8, 8, 8], []),
  ]);
  expect(targets.map(({ figure, verdict }) => [figure, verdict])).toEqual([
    ['20.00 × (10.00–40.00)', 'reached'],
    ['5.00 × (4.00–6.00)', 'reached'],
    ['1.00 × (1.00–1.50)', 'reached'],
  ]);
});
