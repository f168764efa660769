import { Connection } from './connection.js';
import { Recorder, record } from './recorder.js';
import { arrivalTimes, seededRandom, weightedChoice } from './schedule.js';

/**
 * Requests of one kind: their weight within the stream, and their texts, of which one is drawn each time.
 * @typedef {{ name: string, weight: number, requests: string[] }} Kind
 */

/**
 * Requests over their own connections.
 * @typedef {object} StreamPlan
 * @property {number} [perSecond] rate of an open loop, where requests are due at times that do not depend on responses. Without it, each
 * connection sends its next request when it has its response (closed loop)
 * @property {number} connections
 * @property {Kind[]} kinds
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now ms since the start of the load
 * @property {number} endMs
 * @property {import('hdr-histogram-js').Histogram} lateness from when requests were due to when they were sent
 * @property {(error: Error) => void} fail
 */

/**
 * Sends the requests of a plan. In an open loop, a request's time counts from when it was due, even if no connection was free or this
 * process was late, so that a stall of the server affects all requests that would have waited (coordinated omission; Gil Tene, "How NOT
 * to Measure Latency").
 */
export class Stream {
  /** @type {Connection[]} */
  #connections = [];
  /** Connections without a request, the longest idle one first. */
  #free = /** @type {Connection[]} */ ([]);
  #recorders;
  #bytes;
  #plan;
  #clock;
  #times;
  #next = 0;
  #random;
  #chooseKind;
  #timer = /** @type {NodeJS.Timeout | undefined} */ (undefined);
  #isStarted = false;
  #isStopped = false;
  #onFree = () => {};

  /**
   * @param {StreamPlan} plan
   * @param {Clock} clock
   * @param {number} seed
   */
  constructor(plan, clock, seed) {
    this.#plan = plan;
    this.#clock = clock;
    this.#random = seededRandom(seed);
    this.#times = plan.perSecond ? arrivalTimes(plan.perSecond, clock.endMs / 1000, this.#random) : undefined;
    const weights = plan.kinds.map(({ weight }) => weight);
    this.#chooseKind = weightedChoice(weights, this.#random);
    this.#bytes = plan.kinds.map(({ requests }) => requests.map((text) => Buffer.from(text, 'latin1')));
    this.#recorders = plan.kinds.map(() => new Recorder());
  }

  /** @param {number} port */
  async open(port) {
    const events = {
      onAnswer: this.#onAnswer.bind(this),
      onLost: this.#onLost.bind(this),
      onReady: this.#onReady.bind(this),
      onFailure: this.#clock.fail,
    };
    this.#connections = Array.from({ length: this.#plan.connections }, () => new Connection(port, events));
    for (const connection of this.#connections) connection.open();
    await this.#until(() => this.#free.length === this.#connections.length);
  }

  start() {
    this.#isStarted = true;
    if (this.#times) this.#sendDue();
    else for (const connection of this.#free.splice(0)) this.#send(connection, this.#clock.now());
  }

  /** Ends a closed loop after its pending responses. An open loop has already sent or queued all of its requests. */
  stop() {
    this.#isStopped = true;
  }

  /** Resolves when all responses have arrived. */
  answered() {
    const isQueueEmpty = () => this.#next >= (this.#times?.length ?? 0);
    return this.#until(() => isQueueEmpty() && !this.#connections.some(({ isBusy }) => isBusy));
  }

  /** Ends the connections. */
  close() {
    clearTimeout(this.#timer);
    for (const connection of this.#connections) connection.end();
  }

  /**
   * Counts requests without a response as unanswered.
   * @returns {Record<string, import('./recorder.js').Outcome>} by the kinds' names
   */
  finish() {
    const now = this.#clock.now();
    for (const { isBusy, kind, dueMs } of this.#connections) {
      if (isBusy) this.#recorders[kind].unanswered(now - dueMs);
    }
    for (const dueMs of this.#times?.subarray(this.#next) ?? []) {
      const recorder = this.#recorders[this.#chooseKind()];
      recorder.due++;
      recorder.unanswered(now - dueMs);
    }
    const seconds = this.#clock.endMs / 1000;
    return Object.fromEntries(this.#plan.kinds.map(({ name }, i) => [name, this.#recorders[i].outcome(seconds)]));
  }

  #sendDue() {
    clearTimeout(this.#timer);
    const times = /** @type {Float64Array} */ (this.#times);
    const now = this.#clock.now();
    while (this.#next < times.length && times[this.#next] <= now) {
      const connection = this.#free.shift();
      // The next free connection continues here.
      if (!connection) return;
      this.#send(connection, times[this.#next++]);
    }
    if (this.#next < times.length) this.#timer = setTimeout(() => this.#sendDue(), times[this.#next] - now);
  }

  /**
   * @param {Connection} connection
   * @param {number} dueMs
   */
  #send(connection, dueMs) {
    const kind = this.#chooseKind();
    const choices = this.#bytes[kind];
    connection.kind = kind;
    connection.dueMs = dueMs;
    this.#recorders[kind].due++;
    if (this.#times) record(this.#clock.lateness, this.#clock.now() - dueMs);
    connection.send(choices.length === 1 ? choices[0] : choices[Math.floor(this.#random() * choices.length)]);
  }

  /**
   * @param {Connection} connection
   * @param {number} status
   */
  #onAnswer({ kind, dueMs }, status) {
    const now = this.#clock.now();
    this.#recorders[kind].answer(status, now - dueMs, now <= this.#clock.endMs);
  }

  /** @param {Connection} connection */
  #onLost(connection) {
    const { kind, isBusy, dueMs } = connection;
    this.#recorders[kind].lost++;
    if (isBusy) this.#recorders[kind].unanswered(this.#clock.now() - dueMs);
    this.#free = this.#free.filter((other) => other !== connection);
  }

  /** @param {Connection} connection */
  #onReady(connection) {
    if (this.#isStarted && !this.#isStopped && !this.#times) this.#send(connection, this.#clock.now());
    else this.#free.push(connection);
    if (this.#isStarted && this.#times) this.#sendDue();
    this.#onFree();
  }

  /** @param {() => boolean} condition */
  async #until(condition) {
    while (!condition()) {
      await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
        this.#onFree = resolve;
      });
    }
  }
}
