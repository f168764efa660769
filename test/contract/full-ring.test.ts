import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { CoreMemory } from 'loopshard/core';
import { SLOT_HTTP_STATE, SLOT_SUBMITTED_STATE } from '../../build/assembly/layout.js';
import { turn } from '../fixtures/contract/turn.js';
import { createRandom } from '../support/random.js';

const SLOTS = 4;
const STRIDE = 128;
const SUBMITTED = SLOT_SUBMITTED_STATE;
const ROUNDS = 10_000;
const [ROUND, DONE, JITTER, CLAIMED, IDLE] = [0, 32, 64, 96, 128];

/*
 * The ring is full: one slot is queued, and the other entries belong to recalled slots. While a shard claims, the HTTP thread submits
 * one of these slots again. If the ring rejects it, the HTTP thread must stay its owner, although the shard reads its stale entry.
 */
test('a slot rejected by a full ring has one owner, even while a shard claims', async () => {
  const random = createRandom();
  const core = CoreMemory.create(2 ** 20);
  const { wasm, i32 } = core;
  const [ring, slots, batch] = [core.allocate(4_096), core.allocate(4_096), core.allocate(4_096)];
  const words = new Int32Array(new SharedArrayBuffer(1_024));
  const worker = new Worker(new URL('../fixtures/contract/claim-loop.js', import.meta.url), {
    workerData: { shared: core.share(), words, ring, submitted: SUBMITTED, slots, stride: STRIDE, batch },
  });
  await once(worker, 'message');
  const owner = (slot: number) => (slots + slot * STRIDE) >> 2;
  let refused = 0;
  let submitted = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    wasm.ringInitialize(ring, SLOTS);
    for (let slot = 0; slot < SLOTS; slot++) {
      Atomics.store(i32, owner(slot), SLOT_HTTP_STATE);
      wasm.slotSubmit(ring, SUBMITTED, slots, STRIDE, slot);
    }
    for (let slot = 1; slot < SLOTS; slot++) {
      Atomics.compareExchange(i32, owner(slot), SUBMITTED, SLOT_HTTP_STATE);
    }
    Atomics.store(words, JITTER, Math.floor(random() * 60));
    Atomics.store(words, ROUND, round);
    for (let i = Math.floor(random() * 60); i > 0; i--) Atomics.load(words, IDLE);
    const slot = 1 + (round % (SLOTS - 1));
    const length = wasm.slotSubmit(ring, SUBMITTED, slots, STRIDE, slot);
    await turn(words, DONE, (value) => value === round);
    const claimed = [...i32.subarray(batch >> 2, (batch >> 2) + Atomics.load(words, CLAIMED))];
    if (length > 0) submitted++;
    else {
      refused++;
      if (claimed.includes(slot)) throw new Error(`round ${round}: slot ${slot} was rejected, but also claimed`);
      expect(Atomics.load(i32, owner(slot))).toBe(SLOT_HTTP_STATE);
    }
  }
  Atomics.store(words, ROUND, -1);
  await once(worker, 'exit');
  // Both outcomes must have occurred, or the test has proved nothing.
  expect(Math.min(refused, submitted)).toBeGreaterThan(20);
  // Each round needs a core for both threads at once.
}, 120_000);
