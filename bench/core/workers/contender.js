// Acquires and releases permits in a loop until it is terminated.
import { workerData } from 'node:worker_threads';
import { CoreMemory, Semaphore } from 'loopshard/core';

const core = CoreMemory.attach(workerData.shared);
const semaphore = Semaphore.attach(core, workerData.semaphore);
for (;;) if (semaphore.tryAcquire()) semaphore.release();
