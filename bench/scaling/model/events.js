/**
 * An event at a virtual time.
 * @typedef {object} Entry
 * @property {number} time microseconds
 * @property {number} order for events at the same time: the one scheduled first fires first
 * @property {(subject: any, version: number) => void} fire
 * @property {any} subject
 * @property {number} version lets the receiver recognize an outdated event
 */

/** Virtual time in microseconds, and the scheduled events in a binary heap. The same calls produce the same run. */
export class Events {
  now = 0;
  /** @type {Entry[]} */
  #heap = [];
  #order = 0;

  /** The time of the next event; infinite if there is none. */
  get nextTime() {
    return this.#heap.length === 0 ? Number.POSITIVE_INFINITY : this.#heap[0].time;
  }

  /**
   * @template T
   * @param {number} time not in the past
   * @param {(subject: T, version: number) => void} fire
   * @param {T} subject
   * @param {number} [version]
   */
  at(time, fire, subject, version = 0) {
    if (!(time >= this.now)) throw new Error(`An event at ${time} µs was scheduled at ${this.now} µs.`);
    const entry = { time, order: this.#order++, fire, subject, version };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isEarlier(entry, heap[parent])) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = entry;
  }

  /** Fires all events up to `time`, and stops the clock there. */
  runUntil(/** @type {number} */ time) {
    this.horizon = time;
    while (this.nextTime <= time) this.#fireNext();
    this.now = time;
  }

  /** End of the current run. The clock must not move past it. */
  horizon = 0;

  /** Fires events while `isWanted` and any are left. */
  runWhile(/** @type {() => boolean} */ isWanted) {
    this.horizon = Number.POSITIVE_INFINITY;
    while (this.#heap.length > 0 && isWanted()) this.#fireNext();
  }

  #fireNext() {
    const { time, fire, subject, version } = this.#pop();
    this.now = time;
    fire(subject, version);
  }

  #pop() {
    const heap = this.#heap;
    const first = heap[0];
    const last = /** @type {Entry} */ (heap.pop());
    const { length } = heap;
    if (length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && isEarlier(heap[child + 1], heap[child])) child++;
      if (!isEarlier(heap[child], last)) break;
      heap[index] = heap[child];
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

/**
 * @param {Entry} a
 * @param {Entry} b
 */
function isEarlier(a, b) {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
