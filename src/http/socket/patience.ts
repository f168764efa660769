/** What a connection is waiting for. */
export const IDLE_PHASE = 0;
/** The rest of a request's head. */
export const HEAD_PHASE = 1;
/** The rest of a request's body. */
export const BODY_PHASE = 2;
/** Nothing of the client: the server owes it something, or reads no more of it for now. */
export const BUSY_PHASE = 3;
/** The client's end of the connection, behind the last answer. */
export const CLOSING_PHASE = 4;

/** More of a body that is read as a stream. */
export const STREAM_PHASE = 5;

/** What tells the phases of a connection apart. */
export interface Situation {
  /** Nothing is sent or read any more. */
  hasEnded: boolean;
  /** The kernel has not taken all there is for it. */
  hasUnsent: boolean;
  isServersTurn: boolean;
  /** A body is on its way that is read as a stream. */
  hasUpload: boolean;
  isIdle: boolean;
  parser: { readonly midMessage: boolean; readonly midHead: boolean };
}

export function phaseOf({ hasEnded, hasUnsent, isServersTurn, hasUpload, isIdle, parser }: Situation): number {
  if (hasEnded) return hasUnsent ? BUSY_PHASE : CLOSING_PHASE;
  if (isServersTurn) return BUSY_PHASE;
  if (hasUpload) return STREAM_PHASE;
  if (parser.midMessage) return parser.midHead ? HEAD_PHASE : BODY_PHASE;
  return isIdle ? IDLE_PHASE : BUSY_PHASE;
}

/** How long a client may send nothing, once the kernel has its last answer, before the connection is closed. */
const LINGER_SILENCE_MS = 2_000;

/** How long a client may stop reading its response while others wait for the memory that it takes. */
const PRESSED_SEND_MS = 1_000;

/** What a client must send of a large body within `PRESSED_RECEIVE_MS` while others wait for the memory that it takes. */
const PRESSED_RECEIVE_BYTES = 16 * 1024;
const PRESSED_RECEIVE_MS = 1_000;

/** How long clients may take, in milliseconds. */
export interface Timeouts {
  headersTimeoutMs: number;
  requestTimeoutMs: number;
  keepAliveTimeoutMs: number;
  sendTimeoutMs: number;
  lingerTimeoutMs: number;
}

/** The same, in looks. */
export interface Looks {
  head: number;
  request: number;
  keepAlive: number;
  send: number;
  /** Since the last `PRESSED_RECEIVE_BYTES` of a body that takes shared memory. */
  receive: number;
  linger: number;
  lingerSilence: number;
}

/** What is to be done with a connection that has taken too long. */
export type Expiry = 'none' | 'close' | 'refuse' | 'destroy';

/** Between two looks: a timeout is met up to two of them late. */
const LONGEST_INTERVAL_MS = 500;
const SHORTEST_INTERVAL_MS = 10;
/** Looks in the shortest timeout, so that short ones are met about as exactly. */
const LOOKS_IN_TIMEOUT = 4;

/** How often connections are looked at, and how many looks each timeout has. */
export class Schedule {
  readonly intervalMs: number;
  readonly looks: Looks;
  /** The same while requests or responses wait for extents, which those have that clients do not send or read. */
  readonly looksUnderPressure: Looks;

  constructor({ headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs, sendTimeoutMs, lingerTimeoutMs }: Timeouts) {
    const shortest = Math.min(headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs, sendTimeoutMs, lingerTimeoutMs);
    const interval = Math.floor(shortest / LOOKS_IN_TIMEOUT);
    this.intervalMs = Math.max(SHORTEST_INTERVAL_MS, Math.min(LONGEST_INTERVAL_MS, interval));
    const looks = (ms: number) => Math.ceil(ms / this.intervalMs);
    this.looks = {
      head: looks(Math.min(headersTimeoutMs, requestTimeoutMs)),
      request: looks(requestTimeoutMs),
      keepAlive: looks(keepAliveTimeoutMs),
      send: looks(sendTimeoutMs),
      receive: looks(requestTimeoutMs),
      linger: looks(lingerTimeoutMs),
      lingerSilence: looks(Math.min(LINGER_SILENCE_MS, lingerTimeoutMs)),
    };
    this.looksUnderPressure = {
      ...this.looks,
      send: looks(Math.min(sendTimeoutMs, PRESSED_SEND_MS)),
      receive: looks(Math.min(requestTimeoutMs, PRESSED_RECEIVE_MS)),
    };
  }
}

/**
 * How long a connection has been waiting for the same thing. Nothing is noted while requests pass: one interval for all
 * connections looks at each and counts the looks at which nothing had changed. So time does not pass faster for clients
 * than for a server that was held up. HTTP thread only.
 */
export class Patience {
  #phase = IDLE_PHASE;
  #progress = 0;
  /** Looks since the one that found something new. */
  #looks = -1;
  #unsent = 0;
  #unsentLooks = 0;
  #missing = 0;
  #missingLooks = 0;
  #closingLooks = 0;

  /**
   * @param phase what the connection waits for
   * @param progress how many requests it has had; in STREAM_PHASE, how many bytes of bodies; in CLOSING_PHASE, how many bytes
   * were dropped
   * @param unsent bytes that the kernel has not taken
   * @param missing bytes that are still to come of a body for which there is an extent
   */
  look(phase: number, progress: number, unsent: number, missing: number, limits: Looks): Expiry {
    // A body goes on with the time of its head.
    const goesOn = phase === this.#phase || (phase === BODY_PHASE && this.#phase === HEAD_PHASE);
    this.#looks = goesOn && progress === this.#progress ? this.#looks + 1 : 0;
    this.#phase = phase;
    this.#progress = progress;
    this.#unsentLooks = unsent > 0 && unsent === this.#unsent ? this.#unsentLooks + 1 : 0;
    this.#unsent = unsent;
    if (this.#unsentLooks >= limits.send) return 'destroy';
    if (phase === HEAD_PHASE) return this.#looks >= limits.head ? 'refuse' : 'none';
    if (phase === BODY_PHASE && this.#isTooSlow(missing, limits)) return 'refuse';
    if (phase === BODY_PHASE || phase === STREAM_PHASE) return this.#looks >= limits.request ? 'refuse' : 'none';
    if (phase === CLOSING_PHASE) {
      // Who sends on reads the answer only then; closing earlier would reset the connection under it (RFC 9112 section 9.6).
      return this.#looks >= limits.lingerSilence || ++this.#closingLooks > limits.linger ? 'destroy' : 'none';
    }
    if (phase === BUSY_PHASE) return 'none';
    return this.#looks >= (progress === 0 ? limits.head : limits.keepAlive) ? 'close' : 'none';
  }

  #isTooSlow(missing: number, limits: Looks): boolean {
    // Another body than at the last look, or none.
    const isNew = this.#looks === 0 || missing === 0 || missing > this.#missing;
    if (isNew || this.#missing - missing >= PRESSED_RECEIVE_BYTES) {
      this.#missing = missing;
      this.#missingLooks = 0;
      return false;
    }
    return ++this.#missingLooks >= limits.receive;
  }
}
