import { clearInterval, setInterval } from 'node:timers';
import type { Doorbell } from './doorbell.js';

const enqueue = globalThis.queueMicrotask;

/** How often a parked thread checks for work by itself, in case a ring was lost. */
const LOOK_MS = 1_000;

/** Parks an event loop on a doorbell without blocking it, by `Atomics.waitAsync`. Owner of the doorbell only. */
export class Parking {
  /** How often work was found that no ring announced. Must stay 0. */
  lostWakeUps = 0;
  readonly #doorbell: Doorbell;
  readonly #hasWork: () => boolean;
  readonly #wake: () => void;
  #parked = false;
  /** A wait is pending. At most one: with two, a ring would wake only the older one. */
  #waiting = false;
  /** The last check found work without a ring. */
  #unannounced = false;
  readonly #look: NodeJS.Timeout;

  /**
   * @param hasWork checks the rings
   * @param wake called once each time the thread has parked, unless it unparks itself
   */
  constructor(doorbell: Doorbell, hasWork: () => boolean, wake: () => void) {
    this.#doorbell = doorbell;
    this.#hasWork = hasWork;
    this.#wake = wake;
    // One timer for all waits: a separate timeout costs more than a wait.
    this.#look = setInterval(() => this.#lookForWork(), LOOK_MS).unref();
  }

  /** Whether the thread is parked. */
  get isParked(): boolean {
    return this.#parked;
  }

  /** Parks and returns `true`, or returns `false` if the last check finds work. */
  park(): boolean {
    const bell = this.#doorbell.park();
    if (this.#hasWork()) {
      this.#doorbell.unpark();
      return false;
    }
    this.#parked = true;
    this.#unannounced = false;
    // If an earlier wait is still pending, it settles with the same ring.
    if (!this.#waiting) this.#wait(bell);
    return true;
  }

  /** Called when the thread wakes up for another reason. */
  unpark(): void {
    if (!this.#parked) return;
    this.#parked = false;
    this.#doorbell.unpark();
  }

  /** Stops parking permanently. */
  stop(): void {
    clearInterval(this.#look);
    this.unpark();
    if (!this.#waiting) return;
    // A wait that never settles keeps the memory for as long as the thread lives.
    this.#doorbell.park();
    this.#doorbell.ring();
  }

  #wait(bell: number): void {
    const outcome = this.#doorbell.waitAsync(bell, Number.POSITIVE_INFINITY);
    this.#waiting = true;
    // A string means that the bell has rung since its value was read.
    if (typeof outcome === 'string') enqueue(() => this.#settle());
    else outcome.then(() => this.#settle());
  }

  #settle(): void {
    this.#waiting = false;
    if (!this.#parked) return;
    this.unpark();
    this.#wake();
  }

  /** Counts a lost wake-up if two checks in a row find work without a ring. */
  #lookForWork(): void {
    const silent = this.#parked && this.#doorbell.parked && this.#hasWork();
    if (!silent || !this.#unannounced) {
      this.#unannounced = silent;
      return;
    }
    this.#unannounced = false;
    this.lostWakeUps++;
    this.unpark();
    this.#wake();
  }
}
