/*
 * Round trips between two threads, in all common ways. Each contender sends numbers, or slots and buffers that contain one, and gets
 * them back plus one.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring } from 'loopshard/core';
import { Piscina } from 'piscina';
import { ANSWER_INDEX, BATCH, QUESTION_INDEX, SLOT_SHIFT, SLOTS, STOP } from './echo.js';

/**
 * A way to make another thread add one.
 * @typedef {object} Trips
 * @property {(value: number) => number | Promise<number>} one
 * @property {((count: number) => number | Promise<number>) | undefined} many `count` trips, up to SLOTS in flight; returns their sum
 * @property {() => unknown} end
 */

/**
 * @typedef {object} Contender
 * @property {string} id
 * @property {string} title
 * @property {() => Promise<Trips> | Trips} start
 */

const worker = (/** @type {string} */ name, /** @type {object} */ workerData = {}) =>
  new Worker(new URL(`./workers/${name}.js`, import.meta.url), { workerData });

/**
 * Sends slots through rings.
 * @param {boolean} blocks whether both threads use `Atomics.wait` instead of `Atomics.waitAsync`
 * @param {number} spins how often both threads check before they sleep
 * @returns {Trips}
 */
function startSlots(blocks, spins = 0) {
  const core = CoreMemory.create(1 << 20);
  const [there, back] = [Ring.create(core, SLOTS), Ring.create(core, SLOTS)];
  const [bell, ours] = [Doorbell.create(core), Doorbell.create(core)];
  const slots = core.allocate(SLOTS << SLOT_SHIFT);
  const addresses = { there: there.address, back: back.address, bell: bell.address, theirs: ours.address };
  const thread = worker('echo', { shared: core.share(), slots, blocks, spins, ...addresses });
  const word = (/** @type {number} */ slot) => (slots + (slot << SLOT_SHIFT)) >> 2;
  const into = new Int32Array(BATCH);

  /** @returns {number | Promise<number>} how many came back, at least one */
  function take() {
    for (;;) {
      for (let i = 0; i <= spins; i++) {
        const count = back.poll(into);
        if (count > 0) return count;
      }
      const seen = ours.park();
      if (back.length === 0 && !blocks) return waitAsync(seen);
      if (back.length === 0) ours.wait(seen, 1_000);
      ours.unpark();
    }
  }

  async function waitAsync(/** @type {number} */ seen) {
    await ours.waitAsync(seen, 1_000);
    ours.unpark();
    return take();
  }

  return {
    one: (value) => {
      core.i32[word(0)] = value;
      there.publish(0);
      bell.ring();
      const count = take();
      return typeof count === 'number' ? core.i32[word(0)] : count.then(() => core.i32[word(0)]);
    },
    many: async (count) => {
      let [sent, received, sum] = [0, 0, 0];
      /** Sends up to `most` of the slots in `into`, each with the next value. */
      const send = (/** @type {number} */ most) => {
        const some = into.subarray(0, Math.min(most, count - sent));
        for (const slot of some) core.i32[word(slot)] = sent++;
        there.publishBatch(some);
        bell.ring();
      };
      for (let first = 0; first < SLOTS; first += BATCH) {
        for (let i = 0; i < BATCH; i++) into[i] = first + i;
        send(BATCH);
      }
      while (received < count) {
        const taken = take();
        // Awaited only if necessary, because that would cost a turn.
        const some = typeof taken === 'number' ? taken : await taken;
        received += some;
        for (const slot of into.subarray(0, some)) sum += core.i32[word(slot)];
        send(some);
      }
      return sum;
    },
    end: () => {
      there.publish(STOP);
      bell.ring();
      return once(thread, 'exit');
    },
  };
}

/**
 * Sends messages over a port of a worker.
 * @param {(value: number) => [unknown, ArrayBuffer[]]} wrap
 * @param {(message: any) => number} unwrap
 * @returns {Trips}
 */
function startPort(wrap, unwrap) {
  const thread = worker('port');
  /** @type {(value: number) => void} */
  let onValue = () => {};
  thread.on('message', (message) => onValue(unwrap(message)));
  const send = (/** @type {number} */ value) => thread.postMessage(...wrap(value));
  return {
    one: (value) =>
      new Promise((resolve) => {
        onValue = resolve;
        send(value);
      }),
    many: (count) =>
      new Promise((resolve) => {
        let [sent, received, sum] = [0, 0, 0];
        onValue = (value) => {
          sum += value;
          if (++received === count) resolve(sum);
          else if (sent < count) send(sent++);
        };
        while (sent < Math.min(count, SLOTS)) send(sent++);
      }),
    end: () => thread.terminate(),
  };
}

/**
 * @param {'sync' | 'async' | 'disabled'} atomics
 * @returns {Trips}
 */
function startPool(atomics) {
  const filename = new URL('./workers/pool.js', import.meta.url).href;
  const pool = new Piscina({ filename, atomics, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: SLOTS });
  return {
    one: (value) => pool.run(value),
    many: async (count) => {
      let [sent, sum] = [0, 0];
      const lane = async () => {
        while (sent < count) {
          const value = await pool.run(sent++);
          sum += value;
        }
      };
      await Promise.all(Array.from({ length: SLOTS }, lane));
      return sum;
    },
    end: () => pool.destroy(),
  };
}

/** @returns {Trips} */
function startBare() {
  const buffer = new SharedArrayBuffer(256);
  const words = new Int32Array(buffer);
  const thread = worker('bare', { buffer });
  let question = 0;
  return {
    one: (value) => {
      const last = question++;
      Atomics.store(words, QUESTION_INDEX, question);
      Atomics.notify(words, QUESTION_INDEX);
      while (Atomics.load(words, ANSWER_INDEX) !== question) Atomics.wait(words, ANSWER_INDEX, last);
      return value + 1;
    },
    many: undefined,
    end: () => {
      Atomics.store(words, QUESTION_INDEX, STOP);
      Atomics.notify(words, QUESTION_INDEX);
      return once(thread, 'exit');
    },
  };
}

const wrapped = (/** @type {number} */ value) => {
  const buffer = new ArrayBuffer(1 << SLOT_SHIFT);
  new Int32Array(buffer)[0] = value;
  return /** @type {[unknown, ArrayBuffer[]]} */ ([buffer, [buffer]]);
};

/** @type {readonly Contender[]} */
export const CONTENDERS = [
  { id: 'wait', title: 'a slot, both threads wait', start: () => startSlots(true) },
  { id: 'spin', title: 'a slot, both check 500 times, then wait', start: () => startSlots(true, 500) },
  { id: 'wait-async', title: 'a slot, both waitAsync', start: () => startSlots(false) },
  { id: 'bare', title: 'bare Atomics.wait and notify', start: startBare },
  {
    id: 'post-message',
    title: 'postMessage of a number',
    start: () => startPort((value) => [value, []], Number),
  },
  {
    id: 'transfer',
    title: 'postMessage, 64 bytes transferred',
    start: () => startPort(wrapped, (buffer) => new Int32Array(buffer)[0]),
  },
  .../** @type {const} */ (['sync', 'async', 'disabled']).map((atomics) => ({
    id: `piscina-${atomics}`,
    title: `piscina.run, atomics: ${atomics}`,
    start: () => startPool(atomics),
  })),
];
