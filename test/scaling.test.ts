import { beforeEach, describe, expect, test } from '@jest/globals';
import { LOOK_MS, Scaling } from '../build/src/pool/scaling.js';
import { createRandom } from './support/random.js';

/* Virtual time: each measurement is LOOK_MS after the last one. */
const GROUP = { least: 1, most: 4, shrinkAfterMs: 2_000 };

let scaling: Scaling;
let shards: number;
let now: number;
/** When the group has grown (+) or shrunk (-). */
let changes: string[];

function begin(count: number, group = GROUP): void {
  scaling = new Scaling(group);
  shards = count;
  now = 0;
  changes = [];
}

/**
 * Time passes under a load, and decisions are followed.
 * @param busy how many shards the load keeps busy, if there are as many
 */
function pass(ms: number, busy: number, waitMs = 0): void {
  for (const end = now + ms; now < end; ) {
    now += LOOK_MS;
    const each = Math.min(1, busy / shards);
    const decision = scaling.look({ utilizations: new Array(shards).fill(each), waitMs }, shards);
    if (decision === undefined) continue;
    shards += decision.change === 'grow' ? 1 : -1;
    changes.push(`${decision.change === 'grow' ? '+' : '-'}${now}`);
  }
}

beforeEach(() => begin(2));

describe('a group grows', () => {
  test('by one shard after its shards were busy for 75 % of a second', () => {
    pass(60_000, 1.49);
    expect(changes).toEqual([]);
    pass(1_000, 1.5);
    expect([shards, changes]).toEqual([3, ['+61000']]);
  });

  test('by one shard a second while that is not enough, up to its maximum', () => {
    pass(60_000, 100);
    expect([shards, changes]).toEqual([4, ['+1000', '+2000']]);
  });

  test('not because of a handler that takes half a second', () => {
    begin(1);
    pass(5_000, 0.3);
    pass(500, 1);
    pass(5_000, 0.3);
    expect(changes).toEqual([]);
  });

  test('if requests were queued for 50 ms on all shards throughout a second, however idle they seem', () => {
    pass(10_000, 0.6, 49);
    expect(changes).toEqual([]);
    pass(750, 0.6, 50);
    pass(250, 0.6, 0);
    pass(750, 0.6, 50);
    expect(changes).toEqual([]);
    pass(250, 0.6, 50);
    expect(shards).toBe(3);
  });

  test('also if some of its shards cannot be measured, but never beyond its maximum', () => {
    const load = { utilizations: [1], waitMs: 0 };
    const after = (all: number) => {
      scaling.reset();
      return [1, 2, 3, 4].map(() => scaling.look(load, all)?.change).at(-1);
    };
    expect([3, 4, 5].map(after)).toEqual(['grow', undefined, undefined]);
  });
});

describe('a group shrinks', () => {
  test('by one shard after the others would have been busy for less than 50 % throughout shrinkAfterMs', () => {
    begin(3);
    pass(60_000, 1);
    expect(changes).toEqual([]);
    pass(1_750, 0.99);
    expect(changes).toEqual([]);
    pass(250, 0.99);
    expect(shards).toBe(2);
  });

  test('by one shard each time, down to its minimum', () => {
    begin(4);
    pass(60_000, 0);
    expect([shards, changes]).toEqual([1, ['-2750', '-5500', '-8250']]);
  });

  test('not if the load rises meanwhile', () => {
    for (let i = 0; i < 10; i++) {
      pass(2_000, 0.1);
      pass(1_000, 1);
    }
    expect(changes).toEqual([]);
  });

  test('not while requests are queued', () => {
    begin(4);
    pass(60_000, 0.1, 50);
    expect(changes).toEqual([]);
  });
});

test('a group without a range never changes', () => {
  begin(2, { least: 2, most: 2, shrinkAfterMs: 2_000 });
  pass(10_000, 100, 1_000);
  pass(60_000, 0);
  expect(changes).toEqual([]);
});

test('a group without shards that can be measured does not change', () => {
  for (let i = 0; i < 100; i++) {
    expect(scaling.look({ utilizations: [], waitMs: Number.POSITIVE_INFINITY }, 2)).toBeUndefined();
  }
});

test('measurements before a reset do not count', () => {
  pass(750, 100);
  scaling.reset();
  pass(750, 100);
  expect(changes).toEqual([]);
  pass(250, 100);
  expect(shards).toBe(3);
});

test('under a steady load the number of shards settles, and does not change again', () => {
  const random = createRandom();
  for (let run = 0; run < 300; run++) {
    const most = 2 + Math.floor(random() * 15);
    begin(1 + Math.floor(random() * most), { least: 1, most, shrinkAfterMs: 2_000 });
    const busy = random() * most * 1.2;
    pass(120_000, busy);
    const settled = [...changes];
    pass(600_000, busy);
    expect(changes).toEqual(settled);
    if (shards < most) expect(busy / shards).toBeLessThan(0.75);
    if (shards > 1) expect(busy / (shards - 1)).toBeGreaterThanOrEqual(0.5);
  }
});
