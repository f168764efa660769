/*
 * Costs in microseconds of CPU time, unless stated otherwise. All figures come from one machine: two cores of a virtual Intel Xeon at
 * 2.5 GHz, Linux 6.18, Node.js 20.20, on 27 November 2026. docs/scaling.md describes how they were measured.
 *
 * Sources: [c=50] CPU time by thread (/proc/PID/task/TID/schedstat) under wrk with one thread and 50 connections, together with the turns of the
 * event loops and the parks and batches of the shard; [sweep] the same with 1 to 200 connections; [micro] a loop that does nothing else;
 * [core] docs/core.md; [profile] the profile in docs/performance.md.
 */

/**
 * @typedef {object} MachineCosts
 * @property {number} sliceUs how long a thread keeps a core that others wait for, on a machine with one core
 * @property {number} preemptsFromUs how far a woken thread's CPU time must be behind a running one's to take its core
 * @property {number} idleExitUs for a thread to start on an idle core
 * @property {number} switchUs for a thread to start on a core that another thread has just left
 * @property {readonly { idleUs: number, us: number }[]} wakeLatency elapsed time, not CPU time, until a thread runs on a core that was idle
 * for less than `idleUs`
 */

/** @typedef {{ turnUs: number, requestUs: number }} ServerCosts */

/** @typedef {typeof COSTS} Costs */

export const COSTS = {
  machine: {
    // base_slice_ns of Linux 6.18.
    sliceUs: 700,
    // [micro] Next to two threads that compute, a thread that uses 30 % of a core runs immediately after three of four wake-ups, and
    // waits 2 to 4 ms after the others.
    preemptsFromUs: 50,
    // [sweep] A bare net server with one connection sleeps before each request: 18.9 µs, instead of 11.4 with eight connections, minus wokenUs.
    idleExitUs: 4.5,
    // An assumption: 1 to 2 µs for the switch, the rest for cache misses.
    switchUs: 3,
    // [micro] Median time from Atomics.notify to the thread's next statement, after pauses of 20 µs to 3 ms. Cores of virtual machines
    // sleep more deeply than others.
    wakeLatency: [
      { idleUs: 150, us: 7 },
      { idleUs: 600, us: 18 },
      { idleUs: 2_000, us: 40 },
      { idleUs: Number.POSITIVE_INFINITY, us: 80 },
    ],
  },
  wake: {
    // [micro] Atomics.notify for a thread in Atomics.waitAsync. For one in Atomics.wait it takes 4 µs: [core].
    ringUs: 6,
    // An assumption: the system call returns, and the event loop finds out what happened.
    wokenUs: 3,
    // [micro] Atomics.waitAsync takes 5 µs more than Atomics.wait until the next statement. [sweep] has 12 µs a park, minus the two above.
    settleUs: 6,
  },
  http: {
    // [sweep] CPU time against turns of the event loop, at 1 to 8 connections.
    turnUs: 2.5,
    // [c=50] 10.9 µs a request, minus turns and rings. [profile] splits it: read, epoll, llhttp, routing and the record; then the write.
    readUs: 4.3,
    writeUs: 5.6,
    completionUs: 0.3,
    // [micro] The policy considers one shard; reads its words, written by another core (same socket); finds a ring empty.
    visitUs: 0.03,
    lookUs: 0.2,
    ringUs: 0.025,
    // An assumption: one more cache line written by another core, such as the outstanding requests of another HTTP thread.
    lineUs: 0.03,
  },
  shard: {
    // [sweep] With one connection: 14 turns and 29 µs a request.
    turnUs: 1.6,
    // [c=50] 2.2 µs a request, minus 0.022 parks and 0.045 batches.
    requestUs: 1.75,
    // [micro] A claim; a thief finds another shard's ring empty.
    claimUs: 0.2,
    ringUs: 0.03,
  },
  // [c=50] One process: Fastify 32.5 µs a request, node:http 31.4. Two Fastify processes that share two cores with wrk: 34.1.
  fastify: { turnUs: 2, requestUs: 32.2 },
  nodeHttp: { turnUs: 2, requestUs: 31 },
  // wrk 4.1 with one thread: fitted to the throughput of [sweep].
  generator: { turnUs: 1.5, requestUs: 5 },
};
