import hdr from 'hdr-histogram-js';

const MAX_US = 600e6;

/** @typedef {{ count: number, p50Us: number, p99Us: number, maxUs: number }} Latencies */

/**
 * Outcome of the requests of one kind.
 * @typedef {object} Outcome
 * @property {number} due requests that should have been sent
 * @property {number} ok 2xx responses that arrived before the load was over
 * @property {number} okPerSecond
 * @property {number} refused 503 responses that arrived before the load was over
 * @property {number} lost connections that the server ended without announcing it
 * @property {number} unanswered requests, sent or not, whose connection was lost or that had no response after the load and its grace
 * period
 * @property {Record<string, number>} statuses of all responses
 * @property {Latencies} accepted time from when a request was due to its 2xx response; a request without a response counts with the time
 * it has waited
 * @property {Latencies} refusals time from when a request was due to its 503 response
 */

export class Recorder {
  #accepted = histogram();
  #refusals = histogram();
  /** @type {Record<string, number>} */
  #statuses = {};
  due = 0;
  #ok = 0;
  #refused = 0;
  lost = 0;
  #unanswered = 0;

  /**
   * @param {number} status
   * @param {number} ms
   * @param {boolean} isInTime whether the load was still going on
   */
  answer(status, ms, isInTime) {
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (status >= 200 && status < 300) {
      record(this.#accepted, ms);
      if (isInTime) this.#ok++;
    } else if (status === 503) {
      record(this.#refusals, ms);
      if (isInTime) this.#refused++;
    }
  }

  /** @param {number} ms that it had waited when the load was over */
  unanswered(ms) {
    this.#unanswered++;
    record(this.#accepted, ms);
  }

  /**
   * @param {number} seconds
   * @returns {Outcome}
   */
  outcome(seconds) {
    return {
      due: this.due,
      ok: this.#ok,
      okPerSecond: this.#ok / seconds,
      refused: this.#refused,
      lost: this.lost,
      unanswered: this.#unanswered,
      statuses: this.#statuses,
      accepted: summary(this.#accepted),
      refusals: summary(this.#refusals),
    };
  }
}

export function histogram() {
  return hdr.build({ highestTrackableValue: MAX_US, numberOfSignificantValueDigits: 3, autoResize: false });
}

/**
 * @param {import('hdr-histogram-js').Histogram} into
 * @param {number} ms
 */
export function record(into, ms) {
  into.recordValue(Math.min(MAX_US, Math.max(1, Math.round(ms * 1000))));
}

/**
 * @param {import('hdr-histogram-js').Histogram} of
 * @returns {Latencies}
 */
export function summary(of) {
  const count = of.totalCount;
  if (count === 0) return { count, p50Us: 0, p99Us: 0, maxUs: 0 };
  const maxUs = of.maxValue;
  // A percentile is the upper end of its bucket.
  const percentile = (/** @type {number} */ percent) => Math.min(maxUs, of.getValueAtPercentile(percent));
  return { count, p50Us: percentile(50), p99Us: percentile(99), maxUs };
}
