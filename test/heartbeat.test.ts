import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Beating, Heartbeat } from '../build/src/pool/heartbeat.js';

/* Checks every 100 ms: a shard is stuck after 400 ms, and terminated 800 ms later. */
const LIMITS = { stuckAfterMs: 400, killStuckAfterMs: 800 };

/** A shard whose event loop turns or not. */
class Shard {
  restarts = 0;
  state: Beating['state'] = 'ready';
  pongs = 0;
  pings = 0;
  turns = true;
  calledAt = 0;
  isInspected = false;

  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }

  receive(): void {
    if (this.turns) this.pongs = this.pings;
  }

  send(): void {
    this.pings++;
  }

  stick(): void {
    this.state = 'stuck';
  }

  unstick(): void {
    this.state = 'ready';
  }
}

let now = 0;
let killed: number[];
let heartbeat: Heartbeat;
let shards: Shard[];

function begin(count: number, limits = LIMITS): void {
  shards = Array.from({ length: count }, (_, number) => new Shard(number));
  killed = [];
  const words = {
    counters: () => ({ requests: 0, batches: 0, parks: 0 }) as never,
    calledAt: (shard: number) => shards[shard].calledAt,
    isInspected: (shard: number) => shards[shard].isInspected,
  };
  heartbeat = new Heartbeat(shards, limits, words, { onKill: (shard) => void killed.push(shard) }, () => now);
}

/** Time passes for timers and for the clock alike. */
function pass(ms: number): void {
  for (let left = ms; left > 0; left -= 100) {
    now += 100;
    jest.advanceTimersByTime(100);
  }
}

beforeEach(() => {
  jest.useFakeTimers();
  now = 1_000;
});

afterEach(() => {
  heartbeat.stop();
  jest.useRealTimers();
});

const states = () => shards.map(({ state }) => state);

test('a shard whose loop does not turn is stuck after stuckAfterMs, and terminated after killStuckAfterMs', () => {
  begin(2);
  pass(1_000);
  shards[0].turns = false;
  shards[0].pongs--;
  pass(500);
  expect([states(), killed]).toEqual([['ready', 'ready'], []]);
  pass(200);
  expect([states(), killed]).toEqual([['stuck', 'ready'], []]);
  pass(500);
  expect(killed).toEqual([]);
  pass(500);
  expect(killed).toEqual([0]);
  pass(10_000);
  expect(killed).toEqual([0]);
});

test('one that is in the same call of a handler is stuck without having been asked', () => {
  begin(1);
  shards[0].turns = false;
  shards[0].calledAt = 4_711;
  pass(400);
  expect(states()).toEqual(['ready']);
  pass(100);
  expect([states(), shards[0].pings]).toEqual([['stuck'], 0]);
  shards[0].calledAt = 4_713;
  pass(100);
  expect(states()).toEqual(['ready']);
});

test('a shard that turns again is not terminated', () => {
  begin(1);
  shards[0].turns = false;
  pass(1_200);
  expect(states()).toEqual(['stuck']);
  shards[0].turns = true;
  pass(5_000);
  expect([states(), killed]).toEqual([['ready'], []]);
});

describe('a clock that jumps', () => {
  test.each([
    ['once, by an hour', 1],
    ['again and again', 50],
  ])('%s makes no shard stuck', (_how, times) => {
    begin(3);
    pass(500);
    // The machine was suspended: no thread has run, and this one is the first to continue.
    for (let i = 0; i < times; i++) {
      for (const shard of shards) shard.turns = false;
      now += 3_600_000;
      jest.advanceTimersByTime(100);
      expect(states()).toEqual(['ready', 'ready', 'ready']);
      for (const shard of shards) shard.turns = true;
      pass(100);
    }
    expect([states(), killed]).toEqual([['ready', 'ready', 'ready'], []]);
  });

  test('does not count for a shard that is stuck already', () => {
    begin(1);
    shards[0].turns = false;
    pass(700);
    expect(states()).toEqual(['stuck']);
    now += 3_600_000;
    pass(500);
    expect(killed).toEqual([]);
    pass(1_000);
    expect(killed).toEqual([0]);
  });

  test('backwards does not matter', () => {
    begin(1);
    now -= 3_600_000;
    pass(1_000);
    expect([states(), killed]).toEqual([['ready'], []]);
  });
});

test('of several stuck shards, the next one is terminated when the last one is replaced', () => {
  begin(3);
  for (const shard of shards) shard.turns = false;
  pass(2_000);
  expect([states(), killed]).toEqual([['stuck', 'stuck', 'stuck'], [0]]);
  // The rest of the machine continues too.
  shards[1].turns = true;
  pass(100);
  Object.assign(shards[0], { restarts: 1, state: 'ready', turns: true });
  pass(100);
  expect([states(), killed]).toEqual([
    ['ready', 'ready', 'stuck'],
    [0, 2],
  ]);
});

test('of several stuck shards, the next one is terminated after 5 s if the last one is not replaced', () => {
  begin(2);
  for (const shard of shards) shard.turns = false;
  pass(1_500);
  expect(killed).toEqual([0]);
  pass(4_500);
  expect(killed).toEqual([0]);
  pass(500);
  expect(killed).toEqual([0, 1]);
});

test('a shard whose inspector is open may be halted for any time', () => {
  begin(1);
  shards[0].isInspected = true;
  shards[0].turns = false;
  shards[0].calledAt = 4_711;
  pass(60_000);
  expect([states(), killed]).toEqual([['ready'], []]);
});

test.each([
  ['stuckAfterMs', { stuckAfterMs: 0, killStuckAfterMs: 800 }, 'ready'],
  ['killStuckAfterMs', { stuckAfterMs: 400, killStuckAfterMs: 0 }, 'stuck'],
])('0 for %s disables it', (_name, limits, state) => {
  begin(1, limits);
  shards[0].turns = false;
  pass(60_000);
  expect([states(), killed]).toEqual([[state], []]);
});
