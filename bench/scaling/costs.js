/*
 * What things cost, in microseconds of CPU time unless said otherwise. All of it is of one machine: two cores of a virtual Intel Xeon at
 * 2.5 GHz, Linux 6.18, Node.js 20.20, on 27 November 2026. Other machines have other figures, and rather other ratios between
 * them than other rules.
 *
 * Sources: [c=50] `npm run bench:scaling -- --measure` on a quiet machine, CPU time by thread under wrk with 50 connections, beside counts of turns,
 * parks and batches; [sweep] the same with 1 to 200 connections; [core] docs/core.md; [internals] docs/internals.md.
 */

/**
 * @typedef {object} MachineCosts
 * @property {number} sliceUs how long a thread keeps a core that others wait for; Linux multiplies it by the number of cores' logarithm
 * @property {number} preemptsFromUs CPU time by which a thread that is woken must be behind another one to take its core
 * @property {number} idleExitUs CPU time of a thread that starts on an idle core
 * @property {number} switchUs from one thread to another one: the switch, and what the caches have lost
 * @property {readonly { idleUs: number, us: number }[]} wakeLatency time (not CPU time) until a thread runs on a core that has been idle
 * for less than `idleUs`
 */

/** @typedef {{ turnUs: number, requestUs: number }} ServerCosts */

/** @typedef {typeof COSTS} Costs */

export const COSTS = {
  machine: {
    // Linux 6.18: base_slice_ns.
    sliceUs: 700,
    // Measured: beside two threads that compute, a thread that sleeps for most of the time runs as soon as it is woken, and one that
    // uses half of a core waits for milliseconds in one of four cases.
    preemptsFromUs: 50,
    // A bare net server with one connection, which sleeps before each request, against the same with eight: 18.9 - 11.4 µs, less wokenUs.
    idleExitUs: 4.5,
    // A switch takes 1 to 2 µs; the rest is the caches.
    switchUs: 3,
    // Measured: two threads, Atomics.notify, after pauses of 20 µs to 3 ms. A virtual machine's cores sleep deeper than others.
    wakeLatency: [
      { idleUs: 150, us: 7 },
      { idleUs: 600, us: 18 },
      { idleUs: 2_000, us: 40 },
      { idleUs: Number.POSITIVE_INFINITY, us: 80 },
    ],
  },
  wake: {
    // Measured: Atomics.notify of a thread in Atomics.waitAsync (4 µs for one in Atomics.wait: [core]).
    ringUs: 6,
    // The system call returns, the thread finds out what has happened.
    wokenUs: 3,
    // [sweep] The shard's CPU time a request over parks a request, less idleExitUs and wokenUs: the task of V8's platform, the promise.
    settleUs: 6,
  },
  http: {
    // [sweep] CPU time a request over turns a request.
    turnUs: 2.5,
    // [c=50] 10.9 µs a request, less turns and rings; in the proportions of the profile in docs/performance.md: the kernel's read and
    // epoll, llhttp, routing, the record; the kernel's write and Node's part of it.
    readUs: 4.3,
    writeUs: 5.6,
    completionUs: 0.3,
    // Measured: one shard that the policy looks at, its words in the cache; a read of the words, with five lines that another core has written.
    visitUs: 0.03,
    lookUs: 0.2,
    // An assumption: a line that another core has written, on the same socket. (The outstanding requests of another HTTP thread.)
    lineUs: 0.03,
    // Measured: to find that a ring is empty.
    ringUs: 0.025,
  },
  shard: {
    // [sweep] With one connection: CPU time a request over turns a request.
    turnUs: 1.6,
    // [c=50] 2.2 µs a request, less parks and turns.
    requestUs: 1.75,
    claimUs: 0.2,
    ringUs: 0.03,
  },
  // [c=50] 32.4 µs a request with Fastify alone (34.1 in a cluster of two, whose processes share two cores with wrk), 31.2 with node:http.
  fastify: { turnUs: 2, requestUs: 32.2 },
  nodeHttp: { turnUs: 2, requestUs: 31 },
  // wrk 4.1 with one thread.
  generator: { turnUs: 1.5, requestUs: 5 },
};
