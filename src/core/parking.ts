import type { Doorbell } from './doorbell.js';

/** Belt and braces under the doorbell: how long a parked thread sleeps before it looks for itself. */
const TIMEOUT_MS = 1_000;
/** How long a publisher may take from its publication to its ring before the ring counts as lost. */
const GRACE_MS = 20;

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
  #unannounced = false;

  /**
   * @param hasWork looks at the rings
   * @param wake called once for each time the thread parked, unless it unparked itself
   */
  constructor(doorbell: Doorbell, hasWork: () => boolean, wake: () => void) {
    this.#doorbell = doorbell;
    this.#hasWork = hasWork;
    this.#wake = wake;
  }

  get parked(): boolean {
    return this.#parked;
  }

  /** Parks, and returns `true`; or sees on the last look that there is work, and returns `false`. */
  park(): boolean {
    this.#unannounced = false;
    return this.#parkFor(TIMEOUT_MS);
  }

  /** The thread is awake for another reason. */
  unpark(): void {
    if (!this.#parked) return;
    this.#parked = false;
    this.#doorbell.unpark();
  }

  #parkFor(timeoutMs: number): boolean {
    const bell = this.#doorbell.park();
    this.#parked = true;
    if (!this.#unannounced && this.#hasWork()) {
      this.unpark();
      return false;
    }
    // A wait of an earlier time still stands: it settles with the same ring, or at its timeout.
    if (!this.#waiting) this.#wait(bell, timeoutMs);
    return true;
  }

  #wait(bell: number, timeoutMs: number): void {
    const outcome = this.#doorbell.waitAsync(bell, timeoutMs);
    this.#waiting = true;
    // A string means that the bell was rung since it was read.
    if (typeof outcome === 'string') queueMicrotask(() => this.#settle());
    else outcome.then(() => this.#settle());
  }

  #settle(): void {
    this.#waiting = false;
    if (!this.#parked) return;
    // Whoever rings clears the word first.
    const rung = !this.#doorbell.parked;
    if (!rung && !this.#hasWork()) {
      if (!this.#parkFor(TIMEOUT_MS)) this.#wake();
      return;
    }
    if (!rung && !this.#unannounced) {
      // Published, and perhaps about to be rung.
      this.#unannounced = true;
      this.#parkFor(GRACE_MS);
      return;
    }
    if (!rung) this.lostWakeUps++;
    this.#unannounced = false;
    this.unpark();
    this.#wake();
  }
}
