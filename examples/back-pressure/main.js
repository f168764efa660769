/*
 * A fast producer and a slow consumer, with the core alone. Each message in flight needs a permit. The producer waits for permits without
 * blocking its event loop, so memory is bounded and no message is lost.
 *
 *   node examples/back-pressure/main.js
 */
import { Worker } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring, Semaphore } from 'loopshard/core';

const MESSAGES = 2_000;
const MAX_IN_FLIGHT = 16;

const core = CoreMemory.create(1 << 20);
const ring = Ring.create(core, MAX_IN_FLIGHT);
const permits = Semaphore.create(core, MAX_IN_FLIGHT);
const bell = Doorbell.create(core);
const consumer = new Worker(new URL('./consumer.js', import.meta.url), {
  workerData: {
    shared: core.share(),
    ring: ring.address,
    permits: permits.address,
    bell: bell.address,
    messages: MESSAGES,
  },
});
const received = new Promise((resolve) => consumer.once('message', resolve));

let waits = 0;
let most = 0;
for (let message = 1; message <= MESSAGES; message++) {
  if (!permits.tryAcquire()) {
    waits++;
    await permits.acquireAsync();
  }
  // Never fails, because the ring has as many entries as permits exist.
  ring.publish(message);
  bell.ring();
  most = Math.max(most, ring.length);
}
const { sum } = await received;
console.log(
  `${MESSAGES} messages sent, at most ${most} waited; the producer waited ${waits > 0 ? 'for permits' : 'never'}`,
);
console.log(`the consumer has them all: ${sum === (MESSAGES * (MESSAGES + 1)) / 2}`);
