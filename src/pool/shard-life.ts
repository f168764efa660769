import type { MessagePort } from 'node:worker_threads';
import type {
  CheckReport,
  FailureReport,
  RouteTable,
  ShardCommand,
  ShardHistograms,
  ShardReport,
} from '../contract/messages.js';
import { refusedError } from '../contract/refusal.js';
import { createRouteTimes } from '../contract/route-times.js';
import { LoopShardError } from '../errors.js';
import type { Group } from '../options/scheduling.js';
import { exitReason } from './exit-reason.js';
import { CIRCUIT_MS, Restarts } from './restarts.js';
import type { StartThread, ThreadEvents, ThreadOfShard, ThreadStart } from './shard-thread.js';

/**
 * The state of a shard:
 *
 *   spawning ──▶ loading ──▶ ready ⇄ stuck ──▶ draining ──▶ ended ──▶ spawning …
 *       └───────────┴──────────┴───────┴───────────────────────▲
 *
 * - `spawning`: its thread starts.
 * - `loading`: the thread loads the user's module.
 * - `ready`: it accepts requests. It does so in no other state.
 * - `stuck`: its event loop has been blocked for `stuckAfterMs`.
 * - `draining`: it finishes what it has started, and ends.
 * - `ended`: it has no thread and owns nothing.
 */
export type ShardState = 'spawning' | 'loading' | 'ready' | 'stuck' | 'draining' | 'ended';

/** Start options that all threads of a shard share. */
export type LifeSettings = Omit<ThreadStart, 'index' | 'table' | 'generations'>;

export interface LifeOptions {
  startThread: StartThread;
  /** How long a thread may take until it is ready; 0 disables the timeout. */
  startTimeoutMs: number;
  /** Restarts within 10 s before the circuit opens; 0 disables the limit. */
  maxRestarts: number;
  /** The shard blocks while it sleeps, and only its doorbell wakes it. */
  isSyncParked: boolean;
  /** Whether it counts times by route. */
  metrics: boolean;
}

export interface LifeEvents {
  /** Called with each change of state, before any other effect of it. */
  onState(life: ShardLife, state: ShardState): void;
  /** A thread starts: `requests` are the HTTP threads' ends of its channels, one per HTTP thread. */
  onSpawn(life: ShardLife, requests: readonly MessagePort[]): void;
  /**
   * The shard's thread has ended, and all its messages were received: what it owned is to be taken back.
   * @param nextMs delay before the next thread is started, from the end of that; undefined if none is
   * @returns resolves when that is done; undefined if it is done already
   */
  onEnded(life: ShardLife, end: ThreadEnd, nextMs: number | undefined): Promise<void> | undefined;
  /** The thread was terminated, but native code keeps it from ending. */
  onUnstoppable(life: ShardLife): void;
  /** No thread has replaced the one that ended, for longer than requests should wait. */
  onMissing(life: ShardLife): void;
  onFailure(life: ShardLife, report: FailureReport): void;
  onSignalListener(life: ShardLife, signal: string): void;
  onListen(port: number): void;
  /** More than `maxAbandoned` handlers of the shard are still running after their requests got 504. */
  onCrowded(life: ShardLife): void;
  /** The shard streams as many responses as it may. */
  onStreamsFull(life: ShardLife): void;
  /** The heap of the shard has grown beyond its limit. */
  onHeapFull(life: ShardLife, heapMb: number): void;
  /**
   * `failedChecks` has changed.
   * @param change the result that has changed; undefined if the thread has ended
   */
  onChecks(life: ShardLife, change: CheckReport | undefined): void;
  /** This health check of the app has failed on the shard as often as it may. */
  onUnhealthy(life: ShardLife, check: string): void;
  /** The current generation of each HTTP thread. */
  generations(): readonly number[];
  /** Wakes the shard if it is parked. */
  wake(life: ShardLife): void;
}

/** How a thread ended. */
export interface ThreadEnd {
  error: LoopShardError;
  /** Whether it had been ready. */
  wasReady: boolean;
  /** Whether the end was requested; it was in order unless the server is being closed. */
  wasAsked: boolean;
}

/** Requests that wait for a shard without a thread are rejected after this time. */
const MISSING_AFTER_MS = 5_000;
/** Part of its grace period that the handlers of a leaving shard have to settle. */
const LEAVING_PART = 3 / 4;
/** How long a terminated thread may take to end. A thread in native code takes longer. */
const TERMINATION_MS = 1_000;

/**
 * The life of one shard: starts its thread, observes its end, and starts the next one. Only this class changes the state of the shard.
 * Control thread.
 */
export class ShardLife {
  readonly number: number;
  readonly group: Group;
  /** What its share of the keys depends on, and what a shard that replaces it takes over: one of the first numbers of its group. */
  seat: number;
  /** How often the shard's thread was replaced. */
  restarts = 0;
  /** How many threads it has had: identifies the current one. */
  threads = 0;
  /** Names of the app's health checks that fail on its thread. */
  readonly failedChecks = new Set<string>();
  /** The shard's own histograms, read live from here; of the latest thread. */
  histograms: ShardHistograms | undefined;
  /** Where all its threads count times by route, once the routes are known, if metrics are enabled. */
  times: SharedArrayBuffer | undefined;
  /** Counts the shard's replies to `ping`, which show that its event loop turns. */
  pongs = 0;
  #state: ShardState = 'ended';
  readonly #settings: LifeSettings;
  readonly #options: LifeOptions;
  readonly #events: LifeEvents;
  #restarts: Restarts;
  #thread: ThreadOfShard | undefined;
  #table: RouteTable | undefined;
  /** Why the thread will end, if known in advance. */
  #cause: LoopShardError | undefined;
  /** The thread is ending in order, or has ended, and another one is about to replace it. */
  #isReplaced = false;
  /** `leave` has told the thread to end. */
  #isAsked = false;
  #readySince = 0;
  /** It has no thread, and gets none before `start`. */
  #isIdle = true;
  /** The thread replaces one that has ended. */
  #isRestarted = false;
  /** When this thread has ended, it is idle. */
  #isLeaving = false;
  /** The HTTP threads have taken back what the last thread owned. */
  #isTakenBack = true;
  /** No further thread is started. */
  #isRetired = false;
  /** The same, and the current thread is to end. */
  #isClosing = false;
  #startTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #missingTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #nativeTimer: NodeJS.Timeout | undefined;
  #onLoaded: ((table: RouteTable) => void) | undefined;
  #onEnded: (() => void)[] = [];
  #onIdle: (() => void)[] = [];

  constructor(settings: LifeSettings, group: Group, options: LifeOptions, events: LifeEvents) {
    this.number = settings.shard;
    this.seat = settings.shard;
    this.group = group;
    this.#settings = settings;
    this.#options = options;
    this.#events = events;
    this.#restarts = new Restarts(options.maxRestarts);
  }

  get state(): ShardState {
    return this.#state;
  }

  /** Whether its thread is ending in order, or has ended, and another one is about to replace it: requests may wait for that one. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Whether it has no thread and gets none before `start`: its number is free. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** Whether it ends, or has ended, for good: no other thread follows. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Whether its thread replaces one that has ended. */
  get isRestarted(): boolean {
    return this.#isRestarted;
  }

  /** For how long its thread has been ready, in milliseconds; 0 if it is not. */
  get readyMs(): number {
    return this.#readySince === 0 ? 0 : performance.now() - this.#readySince;
  }

  /** Why the thread will end, if known in advance. */
  get cause(): LoopShardError | undefined {
    return this.#cause;
  }

  /** Abandoned handlers of the shard before it is replaced; 0 disables the limit. */
  get maxAbandoned(): number {
    return this.#settings.maxAbandoned;
  }

  /** Whether its threads have ended so often that only one every 10 s is started, and none has lived that long since. */
  get isCircuitOpen(): boolean {
    return this.#restarts.isOpen(this.readyMs);
  }

  #become(state: ShardState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.onState(this, state);
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts the first thread. Resolves once the shard is ready; if the thread ends before that, only `onEnded` is called.
   * @param table what the module must define; undefined for the first shard
   */
  start(table: RouteTable | undefined): Promise<RouteTable> {
    this.#table = table;
    this.#isIdle = false;
    this.#isRestarted = false;
    // What earlier shards with this number did does not matter.
    this.#restarts = new Restarts(this.#options.maxRestarts);
    return new Promise((resolve) => {
      this.#onLoaded = resolve;
      this.#spawn();
    });
  }

  #spawn(): void {
    this.#cause = undefined;
    this.#isAsked = false;
    this.threads++;
    this.#become('spawning');
    const { startTimeoutMs } = this.#options;
    if (startTimeoutMs > 0) this.#startTimer = setTimeout(() => this.#onStartTimeout(), startTimeoutMs);
    const events: ThreadEvents = {
      onReport: (report) => this.#onReport(report),
      onExit: (code, error) => this.#onExit(code, error),
    };
    try {
      const index = this.seat - this.group.first;
      const start = { ...this.#settings, index, table: this.#table, generations: this.#events.generations() };
      this.#thread = this.#options.startThread(start, events);
      this.#events.onSpawn(this, this.#thread.requests);
    } catch (error) {
      this.#onExit(1, error);
    }
  }

  #onStartTimeout(): void {
    const { startTimeoutMs } = this.#options;
    this.#cause = new LoopShardError(
      'SHARD_FAILED',
      `Shard ${this.number} was not ready within ${startTimeoutMs} ms. Check what the module awaits while it is loading, or raise \`timeouts.startTimeoutMs\`.`,
    );
    this.#terminate();
  }

  #onReport(report: ShardReport): void {
    switch (report.type) {
      case 'loading':
        if (this.#state === 'spawning') this.#become('loading');
        return;
      case 'refused':
        this.#cause = refusedError(report, report.cause === 'EADDRINUSE' && this.number > 0 ? ` ${LISTENS}` : '');
        return;
      case 'ready':
        return this.#onReady(report.table, report.histograms);
      case 'pong':
        this.pongs++;
        return this.unstick();
      case 'signalListener':
        return this.#events.onSignalListener(this, report.signal);
      case 'listen':
        return this.#events.onListen(report.port);
      case 'uncaught':
        return this.#onUncaught(report);
      case 'crowded':
        return this.#events.onCrowded(this);
      case 'streamsFull':
        return this.#events.onStreamsFull(this);
      case 'heapFull':
        return this.#events.onHeapFull(this, report.heapMb);
      case 'check':
        return this.#onCheck(report);
      case 'unhealthy':
        return this.#events.onUnhealthy(this, report.name);
      case 'failure':
        return this.#events.onFailure(this, report);
    }
  }

  #onCheck(report: CheckReport): void {
    if (report.error === undefined) this.failedChecks.delete(report.name);
    else this.failedChecks.add(report.name);
    this.#events.onChecks(this, report);
  }

  /** Lets the shard claim, and not before: so its claims can be told from those of the previous thread. */
  #onReady(table: RouteTable, histograms: ShardHistograms): void {
    if (this.#state !== 'loading' || this.#cause !== undefined) return;
    clearTimeout(this.#startTimer);
    clearTimeout(this.#missingTimer);
    this.#missingTimer = undefined;
    this.#table ??= table;
    this.histograms = histograms;
    this.#readySince = performance.now();
    this.#isReplaced = false;
    if (this.#options.metrics) this.times ??= createRouteTimes(table.routes.length);
    this.#become('ready');
    this.#thread!.send({ type: 'go', times: this.times });
    this.#onLoaded?.(table);
    this.#onLoaded = undefined;
  }

  /** Logs an uncaught exception; unless it is ignored, the shard ends by itself, in order. */
  #onUncaught({ error, request, ends }: Extract<ShardReport, { type: 'uncaught' }>): void {
    const whose =
      request === undefined
        ? 'an exception was not caught'
        : `${request.method} ${request.target} threw an exception that was not caught`;
    const message = ends ? `${whose}; shard ${this.number} is being replaced` : whose;
    this.#events.onFailure(this, { type: 'failure', message, error, ...(request && { request }) });
    if (!ends || (this.#state !== 'ready' && this.#state !== 'stuck')) return;
    this.#cause = endOf(this.number, { code: 1, error, wasReady: true, wasLoading: false });
    this.#drain();
  }

  /** Starts no further thread when this one ends. */
  retire(): void {
    this.#isRetired = true;
    this.#isReplaced = false;
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#missingTimer);
    // Requests may be waiting for the next thread.
    if (this.#state === 'ended') this.#miss();
  }

  /**
   * Tells the shard to finish what it has started and end; no other thread follows, and its number is free afterwards. A shard that is not
   * ready ends at once.
   */
  leave(): void {
    if (this.#isLeaving || this.#isIdle || this.#isClosing) return;
    this.#isLeaving = true;
    this.#isReplaced = false;
    clearTimeout(this.#restartTimer);
    switch (this.#state) {
      case 'ended':
        // Otherwise it is idle once all HTTP threads have taken back their slots.
        if (this.#isTakenBack) this.#becomeIdle();
        return;
      case 'spawning':
      case 'loading':
        this.#isAsked = true;
        return this.#terminate();
      case 'ready':
      case 'stuck': {
        const { graceMs } = this.#settings;
        this.#isAsked = true;
        this.#drain();
        this.send({ type: 'close', handlersMs: graceMs * LEAVING_PART, graceMs });
      }
    }
  }

  /** Its number is free. */
  #becomeIdle(): void {
    this.#isIdle = true;
    this.#isLeaving = false;
    clearTimeout(this.#missingTimer);
    this.#missingTimer = undefined;
    // If no other shard was ready, requests may be waiting in its rings.
    this.#miss();
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Resolves when its number is free, after `leave`. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Terminates a thread whose event loop is blocked. Another one follows. */
  kill(cause: LoopShardError): void {
    this.#cause ??= cause;
    this.#terminate();
  }

  #terminate(): void {
    this.#thread?.terminate();
    this.#nativeTimer ??= setTimeout(() => this.#events.onUnstoppable(this), TERMINATION_MS).unref();
  }

  /** Waits for the thread to end by itself, and terminates it at the end of its grace period. */
  #drain(): void {
    const { graceMs } = this.#settings;
    this.#isReplaced = !this.#isRetired && !this.#isLeaving;
    this.#become('draining');
    this.#endTimer = setTimeout(() => {
      this.#cause ??= new LoopShardError(
        'SHARD_FAILED',
        `Shard ${this.number} did not end within ${graceMs} ms and was terminated.`,
      );
      this.#terminate();
    }, graceMs);
  }

  // ── stuck ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Marks a shard whose event loop is blocked. */
  stick(): void {
    if (this.#state === 'ready') this.#become('stuck');
  }

  /** Marks a shard whose event loop turns again. */
  unstick(): void {
    if (this.#state === 'stuck') this.#become('ready');
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Handles the end of a thread, however it ended. Its channel is empty. */
  #onExit(code: number, error: unknown): void {
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    clearTimeout(this.#nativeTimer);
    this.#nativeTimer = undefined;
    const { state } = this;
    const wasReady = state === 'ready' || state === 'stuck' || (state === 'draining' && this.#readySince > 0);
    const livedMs = wasReady ? Math.max(1, performance.now() - this.#readySince) : 0;
    this.#readySince = 0;
    const cause = this.#cause ?? endOf(this.number, { code, error, wasReady, wasLoading: state === 'loading' });
    const isLast = this.#isClosing || this.#isRetired || this.#isLeaving;
    const nextMs = isLast ? undefined : this.#restarts.next(livedMs, performance.now());
    // Requests must not wait for a thread that is known to start late.
    this.#isReplaced = wasReady && nextMs !== undefined && nextMs < MISSING_AFTER_MS;
    this.#isTakenBack = false;
    this.#become('ended');
    this.#forgetChecks();
    const wasAsked = this.#isClosing || (this.#isAsked && (code === 0 || !wasReady));
    const takenBack = this.#events.onEnded(this, { error: cause, wasReady, wasAsked }, nextMs);
    if (nextMs !== undefined && !this.#isClosing) this.#boundWait();
    else if (this.#isRetired) this.#miss();
    if (takenBack === undefined) this.#startAnother(nextMs);
    else void takenBack.then(() => this.#startAnother(nextMs));
    for (const resolve of this.#onEnded.splice(0)) resolve();
  }

  #forgetChecks(): void {
    if (this.failedChecks.size === 0) return;
    this.failedChecks.clear();
    this.#events.onChecks(this, undefined);
  }

  /** Limits how long requests wait for the next thread, whatever delays it. */
  #boundWait(): void {
    if (!this.#isReplaced) this.#miss();
    else this.#missingTimer ??= setTimeout(() => this.#miss(), MISSING_AFTER_MS);
  }

  #startAnother(nextMs: number | undefined): void {
    this.#isTakenBack = true;
    if (this.#isLeaving && !this.#isClosing) return this.#becomeIdle();
    if (nextMs === undefined || this.#isClosing) return;
    this.#restartTimer = setTimeout(() => {
      this.restarts++;
      this.#isRestarted = true;
      this.#spawn();
    }, nextMs);
  }

  #miss(): void {
    this.#isReplaced = false;
    this.#events.onMissing(this);
  }

  /**
   * Tells the shard to finish what it has started and end; if it has not ended at the deadline, it is terminated.
   * @param deadline by `performance.now()`
   * @returns whether it has ended: a thread in native code may not
   */
  async close(deadline: number): Promise<boolean> {
    this.#stopStarting();
    if (this.#state === 'ready' || this.#state === 'stuck' || this.#state === 'draining') {
      const graceMs = Math.max(0, deadline - performance.now());
      this.#become('draining');
      // Requests in flight have been dropped, or none were left: handlers only need to clean up.
      this.send({ type: 'close', handlersMs: graceMs / 4, graceMs });
      await this.#untilEnded(graceMs);
    }
    return this.terminate();
  }

  /** Terminates the thread. Returns whether it has ended: a thread in native code may not. */
  async terminate(): Promise<boolean> {
    this.#stopStarting();
    if (this.#state === 'ended') return true;
    this.#terminate();
    return this.#untilEnded(TERMINATION_MS);
  }

  #stopStarting(): void {
    this.#isClosing = true;
    this.#isReplaced = false;
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#missingTimer);
  }

  #untilEnded(timeoutMs: number): Promise<boolean> {
    if (this.#state === 'ended') return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, false);
      this.#onEnded.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** Resolves when it has no thread: one in native code ends only when that code returns. */
  ended(): Promise<void> {
    if (this.#state === 'ended') return Promise.resolve();
    return new Promise((resolve) => this.#onEnded.push(resolve));
  }

  /**
   * Opens a channel to the thread that replaces an ended HTTP thread.
   * @returns that thread's end of the channel; undefined while the shard has no thread
   */
  connectHttp(http: number, generation: number): MessagePort | undefined {
    const port = this.#state === 'ended' ? undefined : this.#thread?.connectHttp(http, generation);
    if (port !== undefined && this.#options.isSyncParked) this.#events.wake(this);
    return port;
  }

  // ── messages to it ──────────────────────────────────────────────────────────────────────────────────────────────

  send(command: ShardCommand, transfer?: readonly MessagePort[]): void {
    this.#thread?.send(command, transfer);
    if (this.#options.isSyncParked) this.#events.wake(this);
  }

  /** Its thread; undefined while it has none. */
  get thread(): ThreadOfShard | undefined {
    return this.#state === 'ended' ? undefined : this.#thread;
  }

  /** Handles the messages that the shard has sent so far. */
  receive(): void {
    this.#thread?.receive();
  }
}

const CHECK_MODULE = 'Check what the module does while it is loaded.';
/** The thread has ended before the module was imported. */
const CHECK_FLAGS = 'Check `threads.execArgv`, `threads.env` and `threads.resourceLimits`.';

/** Every shard loads the module, but a port can be listened on only once. */
const LISTENS =
  'The module listens on a port, but every shard loads the module. Listen in the main module, next to `serve()`, or on port 0.';

/** How a thread has ended that has not reported a reason. */
interface UnreportedEnd {
  code: number;
  /** What it threw, if anything. */
  error: unknown;
  wasReady: boolean;
  /** Its flags were valid, and the module was being imported. */
  wasLoading: boolean;
}

function endOf(shard: number, { code, error, wasReady, wasLoading }: UnreportedEnd): LoopShardError {
  const { code: errorCode, message: invalid } = (error ?? {}) as { code?: unknown; message?: unknown };
  const options = error === undefined ? undefined : { cause: error };
  if (errorCode === 'ERR_WORKER_INVALID_EXEC_ARGV')
    return new LoopShardError('OPTION_INVALID', invalidFlags(`${invalid}`), options);
  const when = wasReady ? `Shard ${shard} ended` : `Shard ${shard} ended before it was ready`;
  const [reason, ...more] = exitReason(code, error).split('\n');
  const advice = errorCode === 'EADDRINUSE' ? LISTENS : wasReady ? '' : wasLoading ? CHECK_MODULE : CHECK_FLAGS;
  const sentence = `${when}: ${reason.replace(/\.$/, '')}. ${advice}`.trimEnd();
  return new LoopShardError('SHARD_FAILED', [sentence, ...more].join('\n'), options);
}

/** @param message such as `Initiated Worker with invalid execArgv flags: --expose-gc` or `… with invalid NODE_OPTIONS env variable: --expose-gc` */
function invalidFlags(message: string): string {
  const flags = message.replace(/^[^:]*: /, '');
  const where = message.includes('NODE_OPTIONS') ? '`NODE_OPTIONS` of `threads.env`' : '`threads.execArgv`';
  return `Node.js does not accept these flags for worker threads: ${flags}. Remove them from ${where}; flags of the whole process go to \`node\`, and limits of a shard's heap to \`threads.resourceLimits\`.`;
}

/** How long a circuit stays open, as text. */
export const CIRCUIT_TEXT = `${CIRCUIT_MS / 1_000} s`;
