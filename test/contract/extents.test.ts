import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { EXTENT_CLASS_SHIFT, NO_EXTENT } from '../../build/assembly/layout.js';
import { Extents, httpOwned, shardOwned } from '../../build/src/contract/extents.js';
import { HttpFigures } from '../../build/src/contract/http-figures.js';
import { createServerMemory } from '../../build/src/contract/memory-map.js';
import { createRandom } from '../support/random.js';

function setUp(extentBytes = 2 ** 21) {
  const { core, map } = createServerMemory({ shards: 2, permits: 1, slots: 2, slotBytes: 2_048, extentBytes });
  const http = new Extents(core, map, httpOwned(0), new HttpFigures(core, map, 0));
  const shards = [0, 1].map((shard) => new Extents(core, map, shardOwned(shard)));
  return { core, map, http, shards };
}

const free = (extents: Extents) => extents.stats().reduce((sum, one) => sum + one.free, 0);
const total = (extents: Extents) => extents.stats().reduce((sum, one) => sum + one.total, 0);

test('takes the smallest extent that is large enough', () => {
  const { shards } = setUp(2 ** 25);
  const [extents] = shards;
  for (const bytes of [0, 1, 36_864, 36_865, 69_632, 69_633, 300_000, 1_052_672]) {
    const extent = extents.take(bytes);
    expect(extents.bytes(extent)).toBeGreaterThanOrEqual(bytes);
    const smaller = extents.stats().filter((one) => one.bytes < extents.bytes(extent));
    for (const one of smaller) expect(one.bytes).toBeLessThan(bytes);
    extents.give(extent);
  }
  expect(extents.take(1_052_673)).toBe(NO_EXTENT);
});

test('extents do not overlap, and all are returned', () => {
  const { shards } = setUp(2 ** 25);
  const [extents, other] = shards;
  const taken: number[] = [];
  for (let extent = extents.take(1); extent !== NO_EXTENT; extent = [extents, other][taken.length % 2].take(1)) {
    taken.push(extent);
  }
  expect([taken.length, free(extents)]).toEqual([total(extents), 0]);
  const places = taken.map((extent) => [extents.start(extent), extents.start(extent) + extents.bytes(extent)]);
  places.sort(([a], [b]) => a - b);
  for (let i = 1; i < places.length; i++) expect(places[i][0]).toBeGreaterThanOrEqual(places[i - 1][1]);
  for (const extent of taken) extents.give(extent);
  expect(free(extents)).toBe(total(extents));
});

test('requests get half of each class, so that extents remain for their responses', () => {
  const { http, shards } = setUp(2 ** 25);
  for (const { bytes, total: count } of http.stats()) {
    const taken: number[] = [];
    for (let extent = http.takeForRequest(bytes); extent !== NO_EXTENT; extent = http.takeForRequest(bytes)) {
      taken.push(extent);
    }
    const ofClass = taken.filter((extent) => http.bytes(extent) === bytes).length;
    expect(ofClass).toBe(count >> 1);
    const response = shards[0].take(bytes);
    expect(response).not.toBe(NO_EXTENT);
    shards[0].give(response);
    for (const extent of taken) http.giveOfRequest(extent);
  }
  expect(free(http)).toBe(total(http));
});

test('an extent is passed on with its slot, once', () => {
  const { http, shards } = setUp();
  const extent = shards[1].take(1);
  expect([http.takeOver(extent, shardOwned(0)), http.takeOver(extent, shardOwned(1))]).toEqual([false, true]);
  expect(http.takeOver(extent, shardOwned(1))).toBe(false);
  expect(http.reclaim(shardOwned(1))).toBe(0);
  http.give(extent);
  expect(free(http)).toBe(total(http));
});

test('terminating threads at any time neither leaks an extent nor gives one to two owners', async () => {
  const random = createRandom();
  const { core, http } = setUp(2 ** 22);
  let shared = 0;
  for (let round = 0; round < 15; round++) {
    const workers = [0, 1].map((shard) => {
      const worker = new Worker(new URL('../fixtures/contract/extent-loop.js', import.meta.url), {
        workerData: { shared: core.share(), shard },
      });
      worker.on('message', (message) => {
        if (message === 'shared') shared++;
      });
      return worker;
    });
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    // Wait for nothing: the thread must end at an arbitrary instant.
    await sleep(random() * 10);
    await Promise.all(workers.map((worker) => worker.terminate()));
    for (const shard of [0, 1]) http.reclaim(shardOwned(shard));
    expect([free(http), shared]).toEqual([total(http), 0]);
    // The hints must be right too: every extent can be taken.
    const taken = Array.from({ length: total(http) }, () => http.take(1));
    expect(taken).not.toContain(NO_EXTENT);
    for (const extent of taken) http.give(extent);
  }
});

test('concurrent HTTP threads together get at most half of each class for requests', () => {
  const memory = createServerMemory({
    httpThreads: 2,
    shards: 1,
    permits: 1,
    slots: 4,
    slotBytes: 2_048,
    extentBytes: 2 ** 21,
  });
  const sides = [0, 1].map((one) => {
    const figures = new HttpFigures(memory.core, memory.map, one);
    return { figures, extents: new Extents(memory.core, memory.map, httpOwned(one), figures) };
  });
  const [first, second] = sides.map(({ extents }) => extents);
  const { total } = first.stats()[0];
  const taken = Array.from({ length: total }, (_, i) => sides[i % 2].extents.takeForRequest(1));
  const ofClass = taken.filter((extent) => extent !== NO_EXTENT && extent < 1 << EXTENT_CLASS_SHIFT);
  expect(ofClass).toHaveLength(total >> 1);
  first.giveOfRequest(ofClass[0]);
  expect(second.takeForRequest(1)).toBe(ofClass[0]);
  // If two announce the last one before either checks, neither gets it.
  second.giveOfRequest(ofClass[0]);
  sides[0].figures.add(0, 1);
  expect(sides[1].figures.take(0, total >> 1)).toBe(false);
});
