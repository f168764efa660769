// Takes one message at a time, processes it, and releases its permit.
import { parentPort, workerData } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring, Semaphore } from 'loopshard/core';

const core = CoreMemory.attach(workerData.shared);
const ring = Ring.attach(core, workerData.ring);
const permits = Semaphore.attach(core, workerData.permits);
const bell = Doorbell.attach(core, workerData.bell);
const into = new Int32Array(1);
let sum = 0;

for (let received = 0; received < workerData.messages; ) {
  if (ring.poll(into) === 0) {
    const seen = bell.park();
    if (ring.length === 0) bell.wait(seen, 1_000);
    bell.unpark();
    continue;
  }
  received++;
  sum += into[0];
  for (const end = performance.now() + 0.05; performance.now() < end; );
  permits.release();
}
parentPort?.postMessage({ sum });
