// Adds one to the value in each slot that arrives through a ring, and sends the slot back through another ring.
import { parentPort, workerData } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring } from 'loopshard/core';
import { BATCH, SLOT_SHIFT, STOP } from '../echo.js';

const core = CoreMemory.attach(workerData.shared);
const there = Ring.attach(core, workerData.there);
const back = Ring.attach(core, workerData.back);
const bell = Doorbell.attach(core, workerData.bell);
const theirs = Doorbell.attach(core, workerData.theirs);
const into = new Int32Array(BATCH);
let isStopped = false;

function echo() {
  const count = there.poll(into);
  if (count === 0) return false;
  for (let i = 0; i < count; i++) {
    if (into[i] === STOP) isStopped = true;
    else core.i32[(workerData.slots + (into[i] << SLOT_SHIFT)) >> 2]++;
  }
  back.publishBatch(into.subarray(0, count));
  theirs.ring();
  return true;
}

/** Checks `spins` more times before it goes to sleep. */
function hasCome() {
  for (let i = 0; i < workerData.spins; i++) if (there.length > 0) return true;
  return false;
}

if (workerData.blocks) {
  while (!isStopped) {
    if (echo() || hasCome()) continue;
    const seen = bell.park();
    if (there.length === 0) bell.wait(seen, 1_000);
    bell.unpark();
  }
} else {
  // An asynchronous wait does not keep the event loop alive.
  const alive = setInterval(() => {}, 1_000);
  while (!isStopped) {
    if (echo()) continue;
    const seen = bell.park();
    if (there.length === 0) await bell.waitAsync(seen, 1_000);
    bell.unpark();
  }
  clearInterval(alive);
}
parentPort?.close();
