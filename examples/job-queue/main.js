/*
 * A job queue for two worker threads, with the core alone. Jobs are stored in slots of shared memory. Both workers claim job numbers from
 * one ring, and each worker returns them on its own ring, because a ring has one producer.
 *
 *   node examples/job-queue/main.js
 */
import { Worker } from 'node:worker_threads';
import { CoreMemory, Doorbell, Ring } from 'loopshard/core';
import { JOB_BYTES, LIMIT_INDEX, RESULT_INDEX, STOP } from './job.js';

const JOBS = 40;
const WORKERS = 2;

const core = CoreMemory.create(1 << 20);
const slots = core.allocate(JOBS * JOB_BYTES);
const jobs = Ring.create(core, JOBS + WORKERS);
const ours = Doorbell.create(core);
const workers = Array.from({ length: WORKERS }, () => {
  const results = Ring.create(core, JOBS);
  const bell = Doorbell.create(core);
  const addresses = { slots, jobs: jobs.address, results: results.address, bell: bell.address, ours: ours.address };
  const workerData = { shared: core.share(), ...addresses };
  return { results, bell, thread: new Worker(new URL('./worker.js', import.meta.url), { workerData }) };
});

// Each job contains the limit below which to count primes.
for (let job = 0; job < JOBS; job++) {
  core.i32[((slots + job * JOB_BYTES) >> 2) + LIMIT_INDEX] = 1_000 * (job + 1);
  jobs.publish(job);
}
for (const { bell } of workers) bell.ring();

const into = new Int32Array(JOBS);
let done = 0;
let primes = 0;
while (done < JOBS) {
  const before = done;
  for (const { results } of workers) {
    const count = results.poll(into);
    for (const job of into.subarray(0, count)) {
      primes += core.i32[((slots + job * JOB_BYTES) >> 2) + RESULT_INDEX];
    }
    done += count;
  }
  if (done > before) continue;
  // Announce that we park, check once more, and then wait to be woken. The event loop keeps running meanwhile.
  const seen = ours.park();
  if (workers.every(({ results }) => results.length === 0)) await ours.waitAsync(seen, 1_000);
  ours.unpark();
}
console.log(`${done} jobs done by ${WORKERS} workers; ${primes} primes were counted`);

for (const { bell } of workers) {
  jobs.publish(STOP);
  bell.ring();
}
