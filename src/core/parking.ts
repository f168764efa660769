import { clearInterval, setInterval } from 'node:timers';
import type { Doorbell } from './doorbell.js';

const enqueue = globalThis.queueMicrotask;

/** Belt and braces under the doorbell: how often a parked thread looks for itself. */
const LOOK_MS = 1_000;

/** Parks an event loop on a doorbell without freezing it: `Atomics.waitAsync`. For the doorbell's owner. */
export class Parking {
  /** Times that work was found which no ring announced. Zero, or there is a bug. */
  lostWakeUps = 0;
  readonly #doorbell: Doorbell;
  readonly #hasWork: () => boolean;
  readonly #wake: () => void;
  #parked = false;
  /** A wait that has not settled. At most one: an abandoned second one would swallow the wake-up of the first. */
  #waiting = false;
  /** There was work and no ring when we looked last. */
  #unannounced = false;
  readonly #look: NodeJS.Timeout;

  /**
   * @param hasWork looks at the rings
   * @param wake called once for each time the thread parked, unless it unparked itself
   */
  constructor(doorbell: Doorbell, hasWork: () => boolean, wake: () => void) {
    this.#doorbell = doorbell;
    this.#hasWork = hasWork;
    this.#wake = wake;
    // One timer for all: a timeout of its own for each wait costs more than the wait.
    this.#look = setInterval(() => this.#lookForWork(), LOOK_MS).unref();
  }

  /** The thread has parked, and nothing has woken it yet. */
  get isParked(): boolean {
    return this.#parked;
  }

  /** Parks, and returns `true`; or sees on the last look that there is work, and returns `false`. */
  park(): boolean {
    const bell = this.#doorbell.park();
    if (this.#hasWork()) {
      this.#doorbell.unpark();
      return false;
    }
    this.#parked = true;
    this.#unannounced = false;
    // A wait of an earlier time still stands: it settles with the same ring.
    if (!this.#waiting) this.#wait(bell);
    return true;
  }

  /** The thread is awake for another reason. */
  unpark(): void {
    if (!this.#parked) return;
    this.#parked = false;
    this.#doorbell.unpark();
  }

  /** Never again. */
  stop(): void {
    clearInterval(this.#look);
    this.unpark();
  }

  #wait(bell: number): void {
    const outcome = this.#doorbell.waitAsync(bell, Number.POSITIVE_INFINITY);
    this.#waiting = true;
    // A string means that the bell was rung since it was read.
    if (typeof outcome === 'string') enqueue(() => this.#settle());
    else outcome.then(() => this.#settle());
  }

  #settle(): void {
    this.#waiting = false;
    if (!this.#parked) return;
    this.unpark();
    this.#wake();
  }

  /** Work that no ring announces from one look to the next was published without one. */
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
