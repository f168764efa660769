// Sleeps on a doorbell, again and again, until it is terminated.
import { workerData } from 'node:worker_threads';
import { CoreMemory, Doorbell } from 'loopshard/core';

const core = CoreMemory.attach(workerData.shared);
const bell = Doorbell.attach(core, workerData.bell);
for (;;) {
  bell.wait(bell.park(), 1_000);
  bell.unpark();
}
