import type { AddressInfo } from 'node:net';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { refusedError } from '../contract/refusal.js';
import { LoopShardError } from '../errors.js';
import type { HttpControlOptions, HttpStats } from '../http/http-control.js';
import type { HttpCommand, HttpOrder, HttpReport, HttpStart } from '../http/messages.js';
import { exitReason } from '../pool/exit-reason.js';
import { Restarts } from '../pool/restarts.js';
import { entryOf, flagsOf } from '../pool/worker-entry.js';

const ENTRY = entryOf(new URL('../http/entry.js', import.meta.url));
/** The number of what it does first: it loads its modules. */
const LOAD = 0;
/** How long a thread that was told to end may take. */
const END_MS = 1_000;

/**
 * The state of an HTTP thread:
 *
 *   starting ──▶ listening ──▶ ended ──▶ starting …
 *       └──────────────────────▲
 *
 * - `starting`: it loads its modules, is prepared for the revisions, and begins to listen.
 * - `listening`: it serves.
 * - `ended`: it has no thread.
 */
type HttpState = 'starting' | 'listening' | 'ended';

export interface HttpLifeSettings {
  options: HttpControlOptions;
  httpModule: string | undefined;
  /** How long each step of a start may take; 0 disables the timeout. */
  startTimeoutMs: number;
  maxRestarts: number;
}

export interface HttpLifeEvents {
  onReport(life: HttpLife, report: HttpReport): void;
  /**
   * The thread has exited, and all its messages were received.
   * @param nextMs delay before the next thread is started; undefined if none is
   */
  onEnded(life: HttpLife, error: LoopShardError, nextMs: number | undefined): void;
  /** The next thread is due. */
  onRestart(life: HttpLife): void;
}

/** What waits for the thread to do something. */
interface Pending {
  resolve(): void;
  reject(error: LoopShardError): void;
  timer: NodeJS.Timeout | undefined;
}

/** The life of one HTTP thread that is a worker: starts it, observes its end, and decides when to start the next one. Control thread. */
export class HttpLife {
  readonly http: number;
  /** Where it listens, or last listened. */
  address: AddressInfo | undefined;
  /** Counts its replies to `ping`. */
  pongs = 0;
  /** The latest figures it has sent. */
  latest: HttpStats | undefined;
  readonly #settings: HttpLifeSettings;
  readonly #events: HttpLifeEvents;
  readonly #restarts: Restarts;
  readonly #answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #state: HttpState = 'ended';
  #isLoaded = false;
  #isReplaced = false;
  #worker: Worker | undefined;
  #channel: MessagePort | undefined;
  /** The load of its modules, and orders that it has not executed, by number. */
  readonly #pending = new Map<number, Pending>();
  #lastId = LOAD;
  /** Why the thread will end or has ended. */
  #cause: LoopShardError | undefined;
  #listensSince = 0;
  /** No further thread is started. */
  #isClosing = false;
  #restartTimer: NodeJS.Timeout | undefined;
  #drained: Promise<void> | undefined;
  #onExited: (() => void) | undefined;
  #ended: Promise<void> | undefined;

  constructor(settings: HttpLifeSettings, events: HttpLifeEvents) {
    this.http = settings.options.http;
    this.#settings = settings;
    this.#events = events;
    this.#restarts = new Restarts(settings.maxRestarts);
  }

  get state(): HttpState {
    return this.#state;
  }

  /** Whether the thread was told to end. */
  get wasAsked(): boolean {
    return this.#ended !== undefined;
  }

  /** Whether a thread exists. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** Whether it has loaded its modules, and so executes orders. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether it has ended and another thread is about to start. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Why it will end or has ended. */
  get cause(): LoopShardError | undefined {
    return this.#cause;
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts a thread. Resolves when it has loaded its modules. */
  start(): Promise<void> {
    this.#cause = undefined;
    this.#isReplaced = false;
    this.#state = 'starting';
    const { options, httpModule } = this.#settings;
    const { port1, port2 } = new MessageChannel();
    const answered = this.#answered;
    const workerData: HttpStart = { options, httpModule, channel: port2, answered };
    this.#channel = port1;
    port1.on('message', (report: HttpReport) => this.#onReport(report));
    port1.unref();
    const loaded = this.#expect(LOAD);
    try {
      this.#worker = new Worker(ENTRY, { workerData, transferList: [port2], ...flagsOf(undefined) });
    } catch (error) {
      this.#onExit(1, error);
      return loaded;
    }
    let thrown: unknown;
    this.#worker.on('error', (error) => {
      thrown = error;
    });
    this.#worker.once('exit', (code) => this.#onExit(code, thrown));
    return loaded;
  }

  /** Resolves when the thread has executed the order; rejects with its error, or with the reason why it ended. */
  order(order: HttpOrder): Promise<void> {
    if (this.#channel === undefined) return Promise.reject(this.#cause);
    const id = ++this.#lastId;
    const done = this.#expect(id);
    this.send({ type: 'order', id, order });
    return done;
  }

  async listen(port: number | undefined): Promise<void> {
    await this.order({ type: 'listen', port });
    this.#state = 'listening';
    this.#listensSince = performance.now();
  }

  /** Limits the time of each step of a start. Later, the event loop must only not be blocked. */
  #expect(id: number): Promise<void> {
    const { startTimeoutMs } = this.#settings;
    const isLimited = startTimeoutMs > 0 && this.#state === 'starting';
    return new Promise((resolve, reject) => {
      const timer = isLimited ? setTimeout(() => this.#onStartTimeout(), startTimeoutMs) : undefined;
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  #onStartTimeout(): void {
    this.fail(notReady(this.http, this.#settings.startTimeoutMs));
  }

  #settle(id: number, error?: LoopShardError): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (error === undefined) pending.resolve();
    else pending.reject(error);
  }

  /** Terminates the thread, because of `cause`. */
  fail(cause: LoopShardError): void {
    this.#cause ??= cause;
    void this.#worker?.terminate();
  }

  #onExit(code: number, thrown: unknown): void {
    this.receive();
    this.#channel?.close();
    this.#channel = this.#worker = undefined;
    const livedMs = this.#state === 'listening' ? Math.max(1, performance.now() - this.#listensSince) : 0;
    this.#state = 'ended';
    this.#cause ??= endOf(this.http, code, thrown);
    // A thread that has never listened fails the start of the server.
    const isLast = this.#isClosing || this.address === undefined;
    const nextMs = isLast ? undefined : this.#restarts.next(livedMs, performance.now());
    this.#isLoaded = false;
    this.#isReplaced = nextMs !== undefined;
    this.#events.onEnded(this, this.#cause, nextMs);
    for (const id of [...this.#pending.keys()]) this.#settle(id, this.#cause);
    this.#onExited?.();
    if (nextMs !== undefined) this.#restartTimer = setTimeout(() => this.#events.onRestart(this), nextMs);
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  send(command: HttpCommand, transfer: MessagePort[] = []): void {
    this.#channel?.postMessage(command, transfer);
  }

  /** Handles the messages that the thread has sent so far. */
  receive(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    for (let got = receiveMessageOnPort(channel); got !== undefined; got = receiveMessageOnPort(channel)) {
      this.#onReport(got.message);
    }
  }

  #onReport(report: HttpReport): void {
    switch (report.type) {
      case 'refused':
        this.#cause ??= refusedError(report);
        return this.#settle(LOAD, this.#cause);
      case 'loaded':
        this.#isLoaded = true;
        return this.#settle(LOAD);
      case 'done':
        return this.#settle(report.id);
      case 'failed':
        return this.#settle(report.id, refusedError(report.refusal));
      case 'listening':
        this.address = report.address;
        return;
      case 'pong':
        this.pongs++;
        return;
      case 'stats':
        this.latest = report.stats;
        return;
      default:
        return this.#events.onReport(this, report);
    }
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Prevents the start of further threads. */
  stopStarting(): void {
    this.#isClosing = true;
    clearTimeout(this.#restartTimer);
  }

  /** Resolves when the thread has drained or ended. A thread that is not listening yet ends. */
  drain(): Promise<void> {
    this.stopStarting();
    if (this.#state === 'starting') void this.#worker?.terminate();
    if (!this.isRunning) return Promise.resolve();
    // A thread that has ended has no requests.
    this.#drained ??= this.order({ type: 'drain' }).catch(() => {});
    return this.#drained;
  }

  /** Tells the thread to end. Resolves when it has. */
  end(): Promise<void> {
    this.stopStarting();
    if (!this.isRunning) return Promise.resolve();
    this.#ended ??= new Promise((resolve) => {
      const timer = setTimeout(() => void this.#worker?.terminate(), this.#state === 'starting' ? 0 : END_MS);
      this.#onExited = () => {
        clearTimeout(timer);
        resolve();
      };
      this.send({ type: 'end' });
    });
    return this.#ended;
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks the thread for its figures. Returns whether it will reply. */
  askStats(): boolean {
    if (this.#state !== 'listening') return false;
    this.latest = undefined;
    this.send({ type: 'stats' });
    return true;
  }

  /** Blocks until the thread has replied, at most until `deadline` (by `performance.now()`). */
  awaitStats(deadline: number): HttpStats | undefined {
    for (;;) {
      const before = Atomics.load(this.#answered, 0);
      this.receive();
      const leftMs = deadline - performance.now();
      if (this.latest !== undefined || leftMs <= 0) return this.latest;
      Atomics.wait(this.#answered, 0, before, leftMs);
    }
  }
}

export function notReady(http: number, startTimeoutMs: number): LoopShardError {
  return new LoopShardError(
    'HTTP_THREAD_FAILED',
    `HTTP thread ${http} was not ready within ${startTimeoutMs} ms. Check what \`httpModule\` awaits while it is loading, or raise \`timeouts.startTimeoutMs\`.`,
  );
}

function endOf(http: number, code: number, thrown: unknown): LoopShardError {
  const reason = exitReason(code, thrown).replace(/\.$/, '');
  const options = thrown === undefined ? undefined : { cause: thrown };
  return new LoopShardError('HTTP_THREAD_FAILED', `HTTP thread ${http} ended: ${reason}.`, options);
}
