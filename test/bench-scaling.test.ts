import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { COSTS } from '../bench/scaling/costs.js';
import { defaultThreads } from '../bench/scaling/default-rule.js';
import { claimable } from '../bench/scaling/model/dispatch.js';
import { Events } from '../bench/scaling/model/events.js';
import { Machine, Thread } from '../bench/scaling/model/machine.js';
import { Random } from '../bench/scaling/model/random.js';
import { saturated } from '../bench/scaling/report.js';
import { type Case, simulate } from '../bench/scaling/simulate.js';
import { WORKLOADS } from '../bench/scaling/workloads.js';
import { Program } from './support/process.js';

const [LIGHT] = WORKLOADS;
const workload = (id: string) => WORKLOADS.find((known) => known.id === id)!;
const loopshard = (httpThreads: number, shards: number) => ({ kind: 'loopshard', httpThreads, shards }) as const;
const cluster = { kind: 'cluster', spread: 'even' } as const;

function run(plan: Partial<Case>) {
  return simulate({
    cores: 4,
    workload: LIGHT,
    connections: 100,
    server: loopshard(1, 4),
    seed: 1,
    requests: 5_000,
    ...plan,
  });
}

describe('the scheduler of the simulated machine', () => {
  const setUp = (cores: number) => {
    const events = new Events();
    return { events, machine: new Machine(events, new Random(1), COSTS.machine, cores) };
  };

  test('shares the cores evenly among threads that compute', () => {
    const { events, machine } = setUp(2);
    for (let i = 0; i < 3; i++) {
      const compute = () => thread.run(500, compute);
      const thread: Thread = new Thread(machine, 'test', compute);
      thread.wake(0);
    }
    events.runUntil(1_000_000);
    for (const thread of machine.threads) {
      expect(machine.busyUs(thread)).toBeGreaterThan(600_000);
      expect(machine.busyUs(thread)).toBeLessThan(700_000);
    }
  });

  test('gives a core immediately to a thread that rarely runs', () => {
    const { events, machine } = setUp(1);
    const compute = () => busy.run(500, compute);
    const busy: Thread = new Thread(machine, 'test', compute);
    busy.wake(0);
    const delays: number[] = [];
    let wokenAt = 0;
    const quiet: Thread = new Thread(machine, 'test', () => {
      delays.push(events.now - wokenAt);
      quiet.sleep();
    });
    for (let time = 10_000; time <= 100_000; time += 10_000) {
      events.runUntil(time);
      wokenAt = time;
      quiet.wake(5);
    }
    events.runUntil(200_000);
    expect(delays).toHaveLength(10);
    expect(Math.max(...delays)).toBeLessThan(20);
  });
});

test('a claim takes what slotClaimPermitted takes', () => {
  expect(claimable(100, 512, 1_000, 4, 8)).toBe(25);
  expect(claimable(10, 512, 1_000, 4, 8)).toBe(8);
  expect(claimable(10, 3, 1_000, 1, 8)).toBe(3);
  expect(claimable(0, 512, 8.9, 1, 8.9)).toBe(0);
  expect(claimable(100, 512, 8.9, 1, 1)).toBe(8);
});

describe('every request gets one response', () => {
  test.each([
    ['one HTTP thread', { server: loopshard(1, 4) }],
    ['several HTTP threads', { server: loopshard(3, 4) }],
    ['pauses', { server: loopshard(3, 4), workload: workload('cpu-100us') }],
    ['heavy handlers among light ones', { server: loopshard(2, 4), workload: workload('mixed') }],
    ['a generator on the machine', { cores: 2, server: loopshard(1, 2), generatorOnMachine: true }],
    ['several servers', { cores: 8, server: { ...loopshard(2, 4), servers: 2 } }],
    ['a cluster', { server: cluster }],
  ] satisfies [string, Partial<Case>][])('%s', (_, plan) => {
    // `simulate` throws if a request is run or gets a response twice, or if threads use more CPU time than the machine has.
    const { sent, answered, requests, busyCores } = run(plan);
    expect(answered).toBe(sent);
    expect(requests).toBeGreaterThan(1_000);
    expect(busyCores).toBeGreaterThan(0.5);
  });
});

test('the same seed gives the same result, and another seed a different one', () => {
  const plan = { server: loopshard(2, 4), workload: workload('mixed') };
  expect(run(plan)).toEqual(run(plan));
  expect(run({ ...plan, seed: 2 }).requests).not.toBe(run(plan).requests);
});

test('one HTTP thread serves as many light requests as its time allows', () => {
  const { perSecond, roles } = run({ connections: 200 });
  expect(roles.http.utilization).toBeGreaterThan(0.98);
  const { readUs, writeUs } = COSTS.http;
  const limit = 1e6 / (readUs + writeUs);
  expect(perSecond).toBeGreaterThan(0.85 * limit);
  expect(perSecond).toBeLessThan(limit);
});

test('a process of a cluster serves as many requests as its time allows', () => {
  const { perSecond } = run({ server: cluster, connections: 400 });
  const limit = 4e6 / COSTS.fastify.requestUs;
  expect(perSecond).toBeGreaterThan(0.97 * limit);
  expect(perSecond).toBeLessThan(limit);
});

test('twice as many cores, HTTP threads, shards and connections double throughput', () => {
  const four = run({ cores: 4, server: loopshard(2, 4), connections: 200 });
  const eight = run({ cores: 8, server: loopshard(4, 8), connections: 400, requests: 10_000 });
  const factor = eight.perSecond / four.perSecond;
  expect(factor).toBeGreaterThan(1.9);
  expect(factor).toBeLessThan(2.1);
});

test('light requests keep few of many shards busy', () => {
  const { roles } = run({ cores: 16, server: loopshard(1, 16), connections: 50 });
  expect(roles.shard.highest).toBeGreaterThan(0.15);
  expect(roles.shard.utilization).toBeLessThan(0.03);
});

test('heavy handlers spread over all shards', () => {
  const { roles, perSecond } = run({
    cores: 8,
    server: loopshard(1, 7),
    workload: workload('cpu-1ms'),
    requests: 4_000,
  });
  expect(roles.shard.utilization).toBeGreaterThan(0.95);
  expect(perSecond).toBeGreaterThan(6_700);
});

test('heavy handlers do not delay light requests while shards are free', () => {
  const plan = { cores: 16, workload: workload('mixed'), connections: 16, requests: 20_000 };
  const { busyCores, lightP99Us } = run({ ...plan, server: loopshard(1, 16) });
  expect(busyCores).toBeLessThan(10);
  // The handler itself takes 2 ms.
  expect(lightP99Us).toBeLessThan(2_500);
});

test('HTTP threads that pause handle several requests per wake-up', () => {
  const plan = { cores: 16, workload: workload('cpu-100us'), connections: 500, requests: 10_000 };
  const { roles, perSecond } = run({ ...plan, server: loopshard(11, 16) });
  expect(roles.http.usPerRequest).toBeLessThan(20);
  expect(perSecond).toBeGreaterThan(run({ ...plan, server: cluster }).perSecond);
});

test('several HTTP threads do not herd onto one shard', () => {
  const outcome = run({ cores: 16, connections: 500, requests: 20_000, server: loopshard(8, 16) });
  expect(saturated(16, outcome)).toBe('all HTTP threads');
});

test('the default has one HTTP thread on two cores, and two thirds of the cores on larger machines', () => {
  expect([1, 2, 4, 8, 16].map((cores) => defaultThreads(cores).httpThreads)).toEqual([1, 1, 3, 5, 11]);
  expect(defaultThreads(64)).toEqual({ httpThreads: 11, shards: 16, servers: 4 });
});

test('bench:scaling runs, and prints its seed', async () => {
  const json = join(tmpdir(), `loopshard-scaling-${process.pid}.json`);
  const args = ['--quick', '--cores', '2', '--workloads', 'light,mixed', '--connections', '50', '--seed', '7'];
  const program = new Program(process.execPath, ['bench/scaling/main.js', ...args, '--json', json]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toMatch(/seed +7\n/);
  const { seed, results } = JSON.parse(readFileSync(json, 'utf8'));
  rmSync(json);
  expect(seed).toBe(7);
  expect(results.map((result: { workload: string }) => result.workload)).toEqual(['light', 'mixed']);
});
