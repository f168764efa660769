/** @typedef {import('./events.js').Events} Events */
/** @typedef {import('./random.js').Random} Random */
/** @typedef {import('../costs.js').MachineCosts} MachineCosts */

const SLEEPING = 0;
const RUNNABLE = 1;
const RUNNING = 2;

/** The state of a core. */
class Core {
  /** @type {Thread | undefined} */
  thread;
  idleSince = 0;
  /** When the thread was given the core, and when its current segment started. */
  givenAt = 0;
  segmentStart = 0;
  /** Changes whenever the core stops its current work, so that earlier events are ignored. */
  version = 0;
  /** When the core checks whether another thread should run. */
  alarmAt = Number.POSITIVE_INFINITY;
}

/**
 * A thread of the operating system. Its code is a chain of segments: `run` uses CPU time and then continues, `sleep` waits until `wake`
 * is called.
 */
export class Thread {
  /** CPU time used, in microseconds. */
  busyUs = 0;
  /** CPU time as the scheduler counts it: the thread with the least runs next. */
  vruntime = 0;
  state = SLEEPING;
  /** @type {Core | undefined} */
  core;
  remainingUs = 0;
  /** @type {() => void} */
  next;
  #machine;
  #first;

  /**
   * @param {Machine} machine
   * @param {string} role CPU time is reported by role
   * @param {() => void} first what the thread does when it is first woken
   */
  constructor(machine, role, first) {
    this.#machine = machine;
    this.role = role;
    this.#first = first;
    this.next = first;
    machine.threads.push(this);
  }

  get isAsleep() {
    return this.state === SLEEPING;
  }

  /**
   * Uses the CPU for `us` microseconds, and then continues with `next`. Called by the thread itself.
   * @param {number} us
   * @param {() => void} next
   */
  run(us, next) {
    this.remainingUs = us;
    this.next = next;
  }

  /** Leaves the CPU until the thread is woken. Called by the thread itself. */
  sleep() {
    this.state = SLEEPING;
  }

  /** Wakes a sleeping thread, which uses `us` microseconds of its own CPU time to wake. Called by anyone. */
  wake(/** @type {number} */ us) {
    if (this.state !== SLEEPING) return;
    this.run(us, this.#first);
    this.#machine.makeRunnable(this);
  }
}

/**
 * Cores and a fair scheduler with a single run queue. A thread keeps its core until it sleeps, or until its slice ends
 * and another thread has used less CPU time. A woken thread goes to the idle core that was used last. If no core is idle, it takes the
 * core of a thread that has used more, or waits for the end of a slice. An idle core takes longer to wake up the longer it has
 * slept (costs.js).
 */
export class Machine {
  /** @type {Thread[]} */
  threads = [];
  #events;
  #random;
  #costs;
  #cores;
  /** Idle cores; the last one to become idle is at the end. */
  #idle;
  /** @type {Thread[]} */
  #queue = [];
  /** The lowest `vruntime` of running and runnable threads, as of the last check. */
  #floor = 0;

  /**
   * @param {Events} events
   * @param {Random} random
   * @param {MachineCosts} costs
   * @param {number} cores
   */
  constructor(events, random, costs, cores) {
    this.#events = events;
    this.#random = random;
    this.#costs = costs;
    this.#cores = Array.from({ length: cores }, () => new Core());
    this.#idle = this.#cores.toReversed();
    // Linux adds one more slice for each doubling of the cores, up to eight cores.
    this.sliceUs = costs.sliceUs * (1 + Math.floor(Math.log2(Math.min(cores, 8))));
  }

  get cores() {
    return this.#cores.length;
  }

  /** CPU time of a thread, including the elapsed part of its current segment. */
  busyUs(/** @type {Thread} */ thread) {
    const { core } = thread;
    if (core === undefined) return thread.busyUs;
    return thread.busyUs + Math.max(0, this.#events.now - core.segmentStart);
  }

  /** @param {Thread} thread */
  makeRunnable(thread) {
    const core = this.#idle.pop();
    if (core === undefined) {
      this.#enqueueWoken(thread);
      return;
    }
    thread.vruntime = Math.max(thread.vruntime, this.#floor);
    const { now } = this.#events;
    this.#give(core, thread, now + this.#wakeLatency(now - core.idleSince), this.#costs.idleExitUs);
  }

  #wakeLatency(/** @type {number} */ idleUs) {
    const steps = this.#costs.wakeLatency;
    let step = 0;
    while (idleUs >= steps[step].idleUs) step++;
    // Varies from half to one and a half times the mean.
    return steps[step].us * (0.5 + this.#random.next());
  }

  /** A thread that is behind takes the core of the thread furthest ahead. Otherwise it waits for the end of a slice. */
  #enqueueWoken(/** @type {Thread} */ thread) {
    let least = Number.POSITIVE_INFINITY;
    let ahead = this.#cores[0];
    for (const core of this.#cores) {
      const vruntime = this.#vruntimeOn(core);
      if (vruntime < least) least = vruntime;
      if (vruntime > this.#vruntimeOn(ahead)) ahead = core;
    }
    for (const { vruntime } of this.#queue) if (vruntime < least) least = vruntime;
    this.#floor = Math.max(this.#floor, least);
    // Limits the credit that a thread gains while it sleeps.
    thread.vruntime = Math.max(thread.vruntime, this.#floor - this.sliceUs);
    thread.state = RUNNABLE;
    this.#queue.push(thread);
    const isBehind = this.#vruntimeOn(ahead) - thread.vruntime > this.#costs.preemptsFromUs;
    for (const core of this.#cores) this.#setAlarm(core, isBehind && core === ahead ? 0 : this.sliceUs);
  }

  /** CPU time, as the scheduler counts it, of the thread on `core` up to now. */
  #vruntimeOn(/** @type {Core} */ { thread, segmentStart }) {
    return /** @type {Thread} */ (thread).vruntime + Math.max(0, this.#events.now - segmentStart);
  }

  /** Makes the core look for another thread once its own has run for `afterUs`. */
  #setAlarm(/** @type {Core} */ core, /** @type {number} */ afterUs) {
    const time = Math.max(this.#events.now, core.givenAt + afterUs);
    if (core.alarmAt <= time) return;
    core.alarmAt = time;
    this.#events.at(time, this.#onAlarm, core, core.version);
  }

  #onAlarm = (/** @type {Core} */ core, /** @type {number} */ version) => {
    const { now } = this.#events;
    if (core.version !== version || core.alarmAt !== now) return;
    core.alarmAt = Number.POSITIVE_INFINITY;
    if (this.#queue.length === 0) return;
    if (this.#vruntimeOn(core) <= this.#leastOfQueue().vruntime) {
      core.givenAt = now;
      this.#setAlarm(core, this.sliceUs);
      return;
    }
    const thread = /** @type {Thread} */ (core.thread);
    thread.remainingUs -= Math.max(0, now - core.segmentStart);
    this.#account(core, now);
    this.#leave(core);
    thread.state = RUNNABLE;
    this.#queue.push(thread);
    this.#takeNext(core);
  };

  #leastOfQueue() {
    let least = this.#queue[0];
    for (const thread of this.#queue) if (thread.vruntime < least.vruntime) least = thread;
    return least;
  }

  /**
   * @param {Core} core
   * @param {Thread} thread
   * @param {number} from when it starts to run there
   * @param {number} us CPU time of the switch
   */
  #give(core, thread, from, us) {
    core.thread = thread;
    core.version++;
    core.givenAt = from;
    core.segmentStart = from;
    core.alarmAt = Number.POSITIVE_INFINITY;
    thread.core = core;
    thread.state = RUNNING;
    thread.remainingUs += us;
    this.#events.at(from + thread.remainingUs, this.#onSegmentEnd, core, core.version);
    if (this.#queue.length > 0) this.#setAlarm(core, this.sliceUs);
  }

  #onSegmentEnd = (/** @type {Core} */ core, /** @type {number} */ version) => {
    if (core.version !== version) return;
    const events = this.#events;
    const thread = /** @type {Thread} */ (core.thread);
    for (;;) {
      this.#account(core, events.now);
      thread.remainingUs = Number.NaN;
      thread.next();
      if (thread.state === SLEEPING) {
        this.#leave(core);
        this.#takeNext(core);
        return;
      }
      const end = events.now + thread.remainingUs;
      if (!(end >= events.now)) throw new Error(`A segment of ${thread.remainingUs} µs on a thread of ${thread.role}.`);
      // Nothing else happens before the end of the segment, so no event is needed.
      if (end >= events.nextTime || end > events.horizon) {
        events.at(end, this.#onSegmentEnd, core, core.version);
        return;
      }
      events.now = end;
    }
  };

  #account(/** @type {Core} */ core, /** @type {number} */ now) {
    const thread = /** @type {Thread} */ (core.thread);
    const us = Math.max(0, now - core.segmentStart);
    thread.busyUs += us;
    thread.vruntime += us;
    core.segmentStart = now;
  }

  #leave(/** @type {Core} */ core) {
    const thread = /** @type {Thread} */ (core.thread);
    thread.core = undefined;
    core.thread = undefined;
    core.version++;
  }

  #takeNext(/** @type {Core} */ core) {
    const { now } = this.#events;
    if (this.#queue.length === 0) {
      core.idleSince = now;
      this.#idle.push(core);
      return;
    }
    const thread = this.#leastOfQueue();
    this.#queue.splice(this.#queue.indexOf(thread), 1);
    this.#give(core, thread, now, this.#costs.switchUs);
  }
}
