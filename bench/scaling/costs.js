/*
 * Costs in microseconds of CPU time, unless stated otherwise. All figures come from one machine: two cores of a virtual Intel Xeon at
 * 2.5 GHz, Linux 6.18, Node.js 20.20, on 27 November 2026. docs/scaling.md describes how they were measured.
 *
 * Sources: [c=50] CPU time by thread (/proc/PID/task/TID/schedstat) under wrk with one thread and 50 connections, beside the turns of the
 * event loops and the parks and batches of the shard; [sweep] the same with 1 to 200 connections; [micro] a loop that does nothing else;
 * [core] docs/core.md; [profile] the profile in docs/performance.md.
 */

/**
 * @typedef {object} MachineCosts
 * @property {number} sliceUs for which a thread keeps a core that others wait for, on a machine with one core
 * @property {number} preemptsFromUs CPU time by which a woken thread must be behind a running one to take its core
 * @property {number} idleExitUs for a thread to start on an idle core
 * @property {number} switchUs for a thread to start on a core that another one has just left
 * @property {readonly { idleUs: number, us: number }[]} wakeLatency time, not CPU time, until a thread runs on a core that was idle for
 * less than `idleUs`
 */

/** @typedef {{ turnUs: number, requestUs: number }} ServerCosts */

/** @typedef {typeof COSTS} Costs */

export const COSTS = {
  machine: {
    // base_slice_ns of Linux 6.18.
    sliceUs: 700,
    // [micro] Beside two threads that compute, a thread that uses 30 % of a core runs as soon as it is woken in three of four cases, and
    // waits for 2 to 4 ms in the others.
    preemptsFromUs: 50,
    // [sweep] A bare net server with one connection sleeps before each request: 18.9 µs, against 11.4 with eight connections, less wokenUs.
    idleExitUs: 4.5,
    // An assumption: 1 to 2 µs for the switch, the rest for what the caches have lost.
    switchUs: 3,
    // [micro] Atomics.notify to the thread's next statement, after pauses of 20 µs to 3 ms, in the median. Cores of virtual machines
    // sleep deeper than others.
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
    // An assumption: the system call returns, and the event loop finds out what has happened.
    wokenUs: 3,
    // [micro] Atomics.waitAsync against Atomics.wait: 5 µs more until the next statement. [sweep] has 12 µs a park, less the two above.
    settleUs: 6,
  },
  http: {
    // [sweep] CPU time against turns of the event loop, at 1 to 8 connections.
    turnUs: 2.5,
    // [c=50] 10.9 µs a request, less turns and rings. [profile] splits it: read, epoll, llhttp, routing and the record; then the write.
    readUs: 4.3,
    writeUs: 5.6,
    completionUs: 0.3,
    // [micro] The policy considers one shard; reads its words, which another core has written (same socket); finds a ring empty.
    visitUs: 0.03,
    lookUs: 0.2,
    ringUs: 0.025,
    // An assumption: a further line that another core has written, such as the outstanding requests of another HTTP thread.
    lineUs: 0.03,
  },
  shard: {
    // [sweep] With one connection: 14 turns and 29 µs a request.
    turnUs: 1.6,
    // [c=50] 2.2 µs a request, less 0.022 parks and 0.045 batches.
    requestUs: 1.75,
    // [micro] A claim; a ring of another shard that a thief finds empty.
    claimUs: 0.2,
    ringUs: 0.03,
  },
  // [c=50] One process: Fastify 32.5 µs a request, node:http 31.4. Two Fastify processes, which share two cores with wrk: 34.1.
  fastify: { turnUs: 2, requestUs: 32.2 },
  nodeHttp: { turnUs: 2, requestUs: 31 },
  // wrk 4.1 with one thread: fitted to the throughput of [sweep].
  generator: { turnUs: 1.5, requestUs: 5 },
};
