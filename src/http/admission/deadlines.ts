import { SLOT_NO_START } from '../../../assembly/layout.js';
import type { HttpSide } from '../../contract/http-side.js';
import { elapsedUs } from '../../core/clock.js';

/** Called for requests that time out. */
export interface DeadlineEvents {
  /** The first pending deadline was set: `sweep` has to be called regularly from now on. */
  onPending(): void;
  /** The request was still queued at its deadline. */
  onQueueTimeout(slot: number): void;
  /** The handler has not settled in time. */
  onHandlerTimeout(slot: number): void;
}

/** Deadlines of requests, by slot. Each sweep checks all slots, which takes a nanosecond each. HTTP thread. */
export class Deadlines {
  readonly #side: HttpSide;
  readonly #events: DeadlineEvents;
  /** When it is too late to start the handler, by the server's clock; 0 disables the timeout. */
  readonly #queue: Float64Array;
  /** How long a handler may take, in microseconds; 0 disables the timeout. */
  readonly #handler: Int32Array;
  #count = 0;

  constructor(side: HttpSide, events: DeadlineEvents) {
    this.#side = side;
    this.#events = events;
    this.#queue = new Float64Array(side.range.end);
    this.#handler = new Int32Array(side.range.end);
  }

  /** Whether any request has a deadline. */
  get pending(): boolean {
    return this.#count > 0;
  }

  /** @param queueDeadline by the server's clock, 0 for none */
  set(slot: number, queueDeadline: number, handlerTimeoutUs: number): void {
    this.#queue[slot] = queueDeadline;
    this.#handler[slot] = handlerTimeoutUs;
    if (this.#count++ === 0) this.#events.onPending();
  }

  clear(slot: number): void {
    if (this.#queue[slot] === 0 && this.#handler[slot] === 0) return;
    this.#queue[slot] = 0;
    this.#handler[slot] = 0;
    this.#count--;
  }

  sweep(nowUs: number): void {
    const { first, end } = this.#side.range;
    for (let slot = first; slot < end; slot++) {
      const deadline = this.#queue[slot];
      if (deadline !== 0 && nowUs >= deadline) this.#expireQueue(slot);
      if (this.#handler[slot] !== 0 && this.#isOverdue(slot, nowUs)) {
        this.clear(slot);
        this.#events.onHandlerTimeout(slot);
      }
    }
  }

  #expireQueue(slot: number): void {
    this.#queue[slot] = 0;
    if (this.#handler[slot] === 0) this.#count--;
    this.#events.onQueueTimeout(slot);
  }

  #isOverdue(slot: number, nowUs: number): boolean {
    const startedAt = this.#side.startedAt(slot);
    if (startedAt === SLOT_NO_START) return false;
    // A handler exceeds its timeout, of at most 30 minutes, by at most one sweep: 32 bits are wide enough.
    return elapsedUs(nowUs, startedAt) >= this.#handler[slot];
  }
}
