import { expect, test } from '@jest/globals';
import {
  DOORBELL_BYTES,
  HEAD_INDEX_BYTES,
  LINE_BYTES,
  MAX_BATCH,
  MAX_LIMITED_ROUTES,
  MAX_SHARDS,
  RING_ENTRIES_OFFSET,
  RING_HEAD_OFFSET,
  RING_MASK_OFFSET,
  RING_TAIL_OFFSET,
  SEMAPHORE_BYTES,
  WORD_BYTES,
} from '../../build/assembly/layout.js';
import {
  attachRings,
  createServerMemory,
  httpAddresses,
  shardAddresses,
  slotAddress,
  slotRange,
} from '../../build/src/contract/memory-map.js';

/*
 * docs/scaling.md lists the words written for a light request, and who writes them. No two of these threads, or groups of threads,
 * write to the same cache line.
 */
const HTTP_THREADS = 3;
const SHARDS = 3;
const { core, map } = createServerMemory({
  httpThreads: HTTP_THREADS,
  shards: SHARDS,
  permits: 8,
  slots: 12,
  slotBytes: 2_048,
  extentBytes: 2 ** 21,
});

/** Which thread writes which bytes. */
function* written(): Generator<[writer: string, start: number, bytes: number]> {
  for (let http = 0; http < HTTP_THREADS; http++) {
    const { doorbell, sequence, outstanding, waiting, poll, headIndex } = httpAddresses(map, http);
    const me = `HTTP thread ${http}`;
    yield [`${me}, and threads that wake it`, doorbell, DOORBELL_BYTES];
    yield [me, sequence, LINE_BYTES];
    yield [me, outstanding, MAX_SHARDS * WORD_BYTES];
    yield [me, waiting, MAX_LIMITED_ROUTES * WORD_BYTES];
    yield [me, poll, MAX_BATCH * WORD_BYTES];
    yield [me, headIndex, HEAD_INDEX_BYTES];
    const { first, end } = slotRange(map, http);
    for (let slot = first; slot < end; slot++) {
      yield [`the owner of slot ${slot}`, slotAddress(map, slot), map.slotStride];
    }
    for (let shard = 0; shard < SHARDS; shard++) {
      const { submissions, bound, completions } = attachRings(core, map, http, shard, poll);
      for (const [ring, producer, consumer] of [
        [submissions, me, `shards that claim the requests that ${me} submitted to shard ${shard}`],
        [bound, me, `shard ${shard}, bound requests of ${me}`],
        [completions, `shard ${shard}`, me],
      ] as const) {
        yield [producer, ring.address + RING_TAIL_OFFSET, LINE_BYTES];
        yield [consumer, ring.address + RING_HEAD_OFFSET, LINE_BYTES];
        yield ['nobody', ring.address + RING_MASK_OFFSET, LINE_BYTES];
        yield [producer, ring.address + RING_ENTRIES_OFFSET, map.ringCapacity * WORD_BYTES];
      }
    }
  }
  for (let shard = 0; shard < SHARDS; shard++) {
    const { doorbell, permits, counters, batch, templates, arena } = shardAddresses(map, shard);
    const me = `shard ${shard}`;
    yield [`${me}, and threads that wake it`, doorbell, DOORBELL_BYTES];
    yield [me, permits, SEMAPHORE_BYTES];
    yield [me, counters, LINE_BYTES];
    yield [me, batch, MAX_BATCH * WORD_BYTES];
    yield [me, templates.start, templates.end - templates.start];
    yield [me, arena.start, arena.end - arena.start];
  }
}

test('no two threads write to the same cache line', () => {
  const writers = new Map<number, string>();
  const shared: string[] = [];
  for (const [writer, start, bytes] of written()) {
    for (let line = Math.floor(start / LINE_BYTES); line * LINE_BYTES < start + bytes; line++) {
      const other = writers.get(line);
      if (other !== undefined && other !== writer) shared.push(`line ${line}: ${other}; ${writer}`);
      writers.set(line, writer);
    }
  }
  expect(shared).toEqual([]);
  expect(writers.size).toBeGreaterThan(SHARDS * 8_000);
});
