/*
 * Operations of one thread with the core, alone or while another thread does the same. Each is checked before it is timed.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring, Semaphore, Writer } from 'loopshard/core';
import { RingBuffer } from 'ringbuf.js';
import { Extents, httpOwned } from '../../build/src/contract/extents.js';
import { FreeSlots } from '../../build/src/contract/free-slots.js';
import { createServerMemory } from '../../build/src/contract/memory-map.js';

/**
 * @typedef {object} Operation
 * @property {string} title
 * @property {() => unknown} run once
 * @property {() => boolean} isRight checks the result of a run
 * @property {(() => void) | undefined} [before] called before each timed run; the runs are then timed one by one
 * @property {(() => unknown) | undefined} [end]
 */

const BYTES = 1 << 20;
const BATCHES = [1, 16, 256];
const TEXT = 'a text of thirty-two characters.';

const core = CoreMemory.create(BYTES);

/** @returns {Operation[]} */
function rings() {
  return BATCHES.flatMap((batch) => {
    const ring = Ring.create(core, 256);
    const values = Int32Array.from({ length: batch }, (_, i) => i + 1);
    const into = new Int32Array(batch);
    const buffer = new RingBuffer(RingBuffer.getStorageForCapacity(256, Int32Array), Int32Array);
    const publish = () => (batch === 1 ? ring.publish(1) : ring.publishBatch(values));
    const isRight = () => into.every((value, i) => value === i + 1) && ring.length === 0;
    const of = batch === 1 ? '1 entry' : `${batch} entries`;
    return [
      {
        title: `ring: publish and poll ${of}`,
        run: () => {
          publish();
          ring.poll(into);
        },
        isRight,
      },
      {
        title: `ring: publish and claim ${of}`,
        run: () => {
          publish();
          ring.claim(into);
        },
        isRight,
      },
      {
        title: `ringbuf.js: push and pop ${of}`,
        run: () => {
          buffer.push(values);
          buffer.pop(into);
        },
        isRight,
      },
    ];
  });
}

/** @returns {Operation[]} */
function permits() {
  const [free, contended] = [Semaphore.create(core, 4), Semaphore.create(core, 4)];
  const takeAndGive = (/** @type {Semaphore} */ semaphore) => () => {
    if (semaphore.tryAcquire()) semaphore.release();
  };
  const workerData = { shared: core.share(), semaphore: contended.address };
  const other = new Worker(new URL('./workers/contender.js', import.meta.url), { workerData });
  return [
    {
      title: 'permit: tryAcquire and release',
      run: takeAndGive(free),
      isRight: () => free.available === 4,
    },
    {
      title: 'permit: the same while another thread does it as well',
      run: takeAndGive(contended),
      isRight: () => contended.available >= 3,
      end: () => other.terminate(),
    },
  ];
}

/** @returns {Operation[]} */
function slots() {
  const needs = { shards: 1, permits: 1, slots: 256, slotBytes: 4_096, extentBytes: 64 << 20 };
  const { core: memory, map } = createServerMemory(needs);
  const free = new FreeSlots(memory, map);
  const extents = new Extents(memory, map, httpOwned(0));
  const freeExtents = () => extents.stats().reduce((sum, { free: left }) => sum + left, 0);
  const all = freeExtents();
  return [
    {
      title: 'slot: take and give back',
      run: () => free.release(free.take()),
      isRight: () => free.free === free.total,
    },
    {
      title: 'extent of 32 KiB: take and give back',
      run: () => extents.give(extents.take(32_768)),
      isRight: () => freeExtents() === all,
    },
  ];
}

/** @returns {Operation[]} */
function doorbells() {
  const [awake, asleep] = [Doorbell.create(core), Doorbell.create(core)];
  let hasRung = false;
  const workerData = { shared: core.share(), bell: asleep.address };
  const sleeper = new Worker(new URL('./workers/sleeper.js', import.meta.url), { workerData });
  const started = once(sleeper, 'online');
  return [
    { title: 'doorbell: ring an awake thread', run: () => awake.ring(), isRight: () => !awake.ring() },
    {
      title: 'doorbell: ring a sleeping thread',
      before: () => {
        while (!asleep.parked);
        // The thread has announced its wait, and starts to wait within that time.
        for (const end = performance.now() + 0.1; performance.now() < end; );
      },
      run: () => {
        hasRung = asleep.ring();
      },
      isRight: () => hasRung,
      end: async () => {
        await started;
        await sleeper.terminate();
      },
    },
  ];
}

/** @returns {Operation[]} */
function writers() {
  const writer = new Writer(core, core.allocate(4_096), 4_096);
  const written = () => Buffer.from(writer.view()).toString();
  /** @type {(title: string, write: () => unknown, expected: string) => Operation} */
  const operation = (title, write, expected) => ({
    title: `writer: ${title}`,
    run: () => {
      writer.reset();
      write();
    },
    isRight: () => written() === expected,
  });
  const raw = Buffer.from(TEXT);
  return [
    operation('a string of 32 characters', () => writer.string(TEXT), JSON.stringify(TEXT)),
    operation('an integer', () => writer.integer(1_234_567), '1234567'),
    operation('32 raw bytes', () => writer.raw(raw), TEXT),
    operation('one byte', () => writer.byte(44), ','),
  ];
}

/** @returns {Operation[]} */
export function createOperations() {
  return [...rings(), ...permits(), ...slots(), ...doorbells(), ...writers()];
}
