// Claims jobs one at a time, so that a long job does not delay others, and blocks while the queue is empty.
import { workerData } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring } from 'loopshard/core';
import { JOB_BYTES, LIMIT_INDEX, RESULT_INDEX, STOP } from './job.js';

const core = CoreMemory.attach(workerData.shared);
const jobs = Ring.attach(core, workerData.jobs);
const results = Ring.attach(core, workerData.results);
const bell = Doorbell.attach(core, workerData.bell);
const ours = Doorbell.attach(core, workerData.ours);
const claimed = new Int32Array(1);

for (;;) {
  if (jobs.claim(claimed) === 0) {
    const seen = bell.park();
    if (jobs.length === 0) bell.wait(seen, 1_000);
    bell.unpark();
    continue;
  }
  const [job] = claimed;
  if (job === STOP) break;
  const words = (workerData.slots + job * JOB_BYTES) >> 2;
  core.i32[words + RESULT_INDEX] = countPrimes(core.i32[words + LIMIT_INDEX]);
  // The thread that takes the job from the ring sees everything written before.
  results.publish(job);
  ours.ring();
}

/** @param {number} limit */
function countPrimes(limit) {
  let count = 0;
  for (let n = 2; n < limit; n++) {
    let isPrime = true;
    for (let d = 2; d * d <= n && isPrime; d++) isPrime = n % d !== 0;
    if (isPrime) count++;
  }
  return count;
}
