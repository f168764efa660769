/*
 * What an HTTP thread tells a shard about the responses to requests that the shard observes. Many together in one array, because a message
 * for each would cost more than the response.
 */
import type { RequestName } from './messages.js';

/** What became of a response. */
export interface SentReport extends RequestName {
  /** When the kernel had its last byte, or the connection was closed, in microseconds of the server's clock. */
  endedAt: number;
  /** Status of the response; 0 if none of it was sent. */
  status: number;
  /** The response was not sent completely, and will not be. */
  isAborted: boolean;
}

const SLOT = 0;
const SEQUENCE = 1;
const ENDED_AT = 2;
/** Negative if aborted: −1 − status. */
const STATUS = 3;
const REPORT_NUMBERS = 4;
const REPORTS = 256;

/** Gathers reports for one shard. HTTP thread only. */
export class SentReports {
  readonly #numbers = new Float64Array(REPORTS * REPORT_NUMBERS);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get isFull(): boolean {
    return this.#length === this.#numbers.length;
  }

  /** Adds a report. Must not be full. */
  add({ slot, sequence, endedAt, status, isAborted }: SentReport): void {
    const numbers = this.#numbers;
    const at = this.#length;
    numbers[at + SLOT] = slot;
    numbers[at + SEQUENCE] = sequence;
    numbers[at + ENDED_AT] = endedAt;
    numbers[at + STATUS] = isAborted ? -1 - status : status;
    this.#length += REPORT_NUMBERS;
  }

  /** Returns the reports in their own buffer and starts again. */
  take(): Float64Array<ArrayBuffer> {
    const taken = this.#numbers.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/** Calls `visit` with each report. Shard only. */
export function readReports(numbers: Float64Array, visit: (report: SentReport) => void): void {
  for (let at = 0; at < numbers.length; at += REPORT_NUMBERS) {
    const status = numbers[at + STATUS];
    const isAborted = status < 0;
    visit({
      slot: numbers[at + SLOT],
      sequence: numbers[at + SEQUENCE],
      endedAt: numbers[at + ENDED_AT],
      status: isAborted ? -1 - status : status,
      isAborted,
    });
  }
}
