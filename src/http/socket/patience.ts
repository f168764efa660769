// What a connection is waiting for.
/** The next request. */
export const IDLE_PHASE = 0;
/** The rest of a request's head. */
export const HEAD_PHASE = 1;
/** The rest of a request's body. */
export const BODY_PHASE = 2;
/** Nothing from the client: the server has to respond, or has stopped reading for now. */
export const BUSY_PHASE = 3;
/** The client's end of the connection, after the last response. */
export const CLOSING_PHASE = 4;

/** More of a streamed body. */
export const STREAM_PHASE = 5;

/** The facts that determine the phase of a connection. */
export interface Situation {
  /** Whether sending and reading have ended. */
  hasEnded: boolean;
  /** Whether the kernel has not taken all data. */
  hasUnsent: boolean;
  isServersTurn: boolean;
  /** Whether a streamed body is arriving. */
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

/** How long a client may be silent after the kernel has its last response before the connection is closed. */
const LINGER_SILENCE_MS = 2_000;

/**
 * How long a client may stop reading its response while others wait for memory. Clients on poor networks pause for seconds, and the kernel
 * takes more bytes only when a third of its buffer is free.
 */
const PRESSED_MS = 5_000;
/** How much of a large body a client must send within that time while others wait for memory. */
const PRESSED_RECEIVE_BYTES = 64 * 1024;

/** Timeouts of clients, in milliseconds. */
export interface Timeouts {
  headersTimeoutMs: number;
  requestTimeoutMs: number;
  keepAliveTimeoutMs: number;
  sendTimeoutMs: number;
  lingerTimeoutMs: number;
}

/** The same, in numbers of checks. */
export interface Looks {
  head: number;
  request: number;
  keepAlive: number;
  send: number;
  /** Since the last `PRESSED_RECEIVE_BYTES` of a body that uses shared memory. */
  receive: number;
  linger: number;
  lingerSilence: number;
}

/** What to do with a connection that has timed out. */
export type Expiry = 'none' | 'close' | 'refuse' | 'destroy';

/** Maximum interval between two checks: a timeout fires up to two intervals late. */
const LONGEST_INTERVAL_MS = 500;
const SHORTEST_INTERVAL_MS = 10;
/** Number of checks within the shortest timeout, so that short timeouts are about as accurate. */
const LOOKS_IN_TIMEOUT = 4;

/** The interval at which connections are checked, and the number of checks for each timeout. */
export class Schedule {
  readonly intervalMs: number;
  readonly looks: Looks;
  /** The same while requests or responses wait for extents, which clients that do not send or read may hold. */
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
      send: looks(Math.min(sendTimeoutMs, PRESSED_MS)),
      receive: looks(Math.min(requestTimeoutMs, PRESSED_MS)),
    };
  }
}

/**
 * How long a connection has been waiting for the same thing. Nothing is recorded while requests pass: one interval checks all connections
 * and counts the checks that find no change. So time does not pass for clients while the server itself is blocked. HTTP thread
 * only.
 */
export class Patience {
  #phase = IDLE_PHASE;
  #progress = 0;
  /** Checks since the last change. */
  #looks = -1;
  #unsent = 0;
  #unsentLooks = 0;
  #missing = 0;
  #missingLooks = 0;
  #closingLooks = 0;

  /**
   * @param phase what the connection waits for
   * @param progress its number of requests; in STREAM_PHASE, the bytes received of bodies; in CLOSING_PHASE, the bytes discarded
   * @param unsent bytes that the kernel has not taken
   * @param missing bytes that are missing of a body that has an extent
   */
  look(phase: number, progress: number, unsent: number, missing: number, limits: Looks): Expiry {
    // The time of a body includes that of its head.
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
      // A client that is still sending reads the response afterwards; closing earlier would reset the connection (RFC 9112 section 9.6).
      return this.#looks >= limits.lingerSilence || ++this.#closingLooks > limits.linger ? 'destroy' : 'none';
    }
    if (phase === BUSY_PHASE) return 'none';
    return this.#looks >= (progress === 0 ? limits.head : limits.keepAlive) ? 'close' : 'none';
  }

  #isTooSlow(missing: number, limits: Looks): boolean {
    // Another body than at the last check, or none.
    const isNew = this.#looks === 0 || missing === 0 || missing > this.#missing;
    if (isNew || this.#missing - missing >= PRESSED_RECEIVE_BYTES) {
      this.#missing = missing;
      this.#missingLooks = 0;
      return false;
    }
    return ++this.#missingLooks >= limits.receive;
  }
}
