import type { MessagePort } from 'node:worker_threads';
import type { FailureReport, RouteTable, ShardCommand, ShardHistograms, ShardReport } from '../contract/messages.js';
import { refusedError } from '../contract/refusal.js';
import { LoopShardError } from '../errors.js';
import type { Group } from '../options/scheduling.js';
import { exitReason } from './exit-reason.js';
import { CIRCUIT_MS, Restarts } from './restarts.js';
import type { StartThread, ThreadEvents, ThreadOfShard, ThreadStart } from './shard-thread.js';

/**
 * Where a shard is in its life:
 *
 *   spawning ──▶ loading ──▶ ready ⇄ stuck ──▶ draining ──▶ ended ──▶ spawning …
 *       └───────────┴──────────┴───────┴───────────────────────▲
 *
 * - `spawning`: its thread starts.
 * - `loading`: the thread loads the user's module.
 * - `ready`: it takes requests. The only state in which it does.
 * - `stuck`: its event loop has not turned for `stuckAfterMs`.
 * - `draining`: it finishes what it has started, and ends.
 * - `ended`: it has no thread, and nothing belongs to it.
 */
export type ShardState = 'spawning' | 'loading' | 'ready' | 'stuck' | 'draining' | 'ended';

/** What every thread of a shard is started with. */
export type LifeSettings = Omit<ThreadStart, 'table' | 'generations'>;

export interface LifeOptions {
  startThread: StartThread;
  /** How long a thread may take until it is ready; 0 for any time. */
  startTimeoutMs: number;
  /** Restarts within 10 s before the circuit opens; 0 for any number. */
  maxRestarts: number;
  /** The shard blocks while it sleeps, and hears nothing but its doorbell. */
  isSyncParked: boolean;
}

export interface LifeEvents {
  /** Called with each change, before anything else is done about it. */
  onState(life: ShardLife, state: ShardState): void;
  /** A thread starts: `requests` are the other ends of its channels to the HTTP threads, one for each. */
  onSpawn(life: ShardLife, requests: readonly MessagePort[]): void;
  /**
   * The shard's thread has ended, and all its messages were heard: what it owned is to be taken back.
   * @param nextMs when another thread is started, counted from when that is done; nothing if none is
   * @returns when that is done; nothing if it is done already
   */
  onEnded(life: ShardLife, end: ThreadEnd, nextMs: number | undefined): Promise<void> | undefined;
  /** No other thread has taken the place of the one that ended, for longer than requests should wait for it. */
  onMissing(life: ShardLife): void;
  onFailure(life: ShardLife, report: FailureReport): void;
  onSignalListener(life: ShardLife, signal: string): void;
  /** More than `maxAbandoned` handlers of the shard run on after their requests got 504. */
  onCrowded(life: ShardLife): void;
  /** As many responses are being streamed by the shard as may be. */
  onStreamsFull(life: ShardLife): void;
  /** Which generation of each HTTP thread there is now. */
  generations(): readonly number[];
  /** Wakes the shard if it is parked. */
  wake(life: ShardLife): void;
}

/** How a thread ended. */
export interface ThreadEnd {
  error: LoopShardError;
  /** It had been ready. */
  wasReady: boolean;
  /** The end was asked for, and in order unless the server is closed. */
  wasAsked: boolean;
}

/** Requests that wait for a shard which has no thread are refused after this time. */
const MISSING_AFTER_MS = 5_000;
/** What a thread that is terminated gets to end. One in native code does not. */
const TERMINATION_MS = 1_000;

/**
 * The life of one shard: it starts its thread, sees it end, and starts another. It alone decides which state the shard is in.
 * Control thread.
 */
export class ShardLife {
  readonly number: number;
  readonly group: Group;
  /** Times another thread took over. */
  restarts = 0;
  /** The shard's own, seen live from here; of the latest thread that ran it. */
  histograms: ShardHistograms | undefined;
  /** When the shard has last shown that its event loop turns: counts its answers to `ping`. */
  pongs = 0;
  #state: ShardState = 'ended';
  readonly #settings: LifeSettings;
  readonly #options: LifeOptions;
  readonly #events: LifeEvents;
  readonly #restarts: Restarts;
  #thread: ThreadOfShard | undefined;
  #table: RouteTable | undefined;
  /** Why the thread will end, if that is known before it does. */
  #cause: LoopShardError | undefined;
  /** The thread ends in order, or has ended, and another one is about to take its place. */
  #isReplaced = false;
  /** `replace` has asked the thread to end. */
  #isAsked = false;
  #readySince = 0;
  /** No further thread is started. */
  #isClosing = false;
  #startTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #missingTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #onLoaded: ((table: RouteTable) => void) | undefined;
  #onEnded: (() => void)[] = [];

  constructor(settings: LifeSettings, group: Group, options: LifeOptions, events: LifeEvents) {
    this.number = settings.shard;
    this.group = group;
    this.#settings = settings;
    this.#options = options;
    this.#events = events;
    this.#restarts = new Restarts(options.maxRestarts);
  }

  get state(): ShardState {
    return this.#state;
  }

  /** Its thread ends in order, or has ended, and another one is about to take its place: requests may wait for that one. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Why the thread will end, if that is known before it does. */
  get cause(): LoopShardError | undefined {
    return this.#cause;
  }

  /** Handlers that may run on after their requests got 504; 0 for any number. */
  get maxAbandoned(): number {
    return this.#settings.maxAbandoned;
  }

  /** Its threads have ended so often that only one every 10 s is started. */
  get isCircuitOpen(): boolean {
    return this.#restarts.isOpen;
  }

  #become(state: ShardState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.onState(this, state);
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts the first thread. Resolves once the shard is ready; a thread that ends before is told to `onEnded` only.
   * @param table what the module must define; nothing for the first shard
   */
  start(table: RouteTable | undefined): Promise<RouteTable> {
    this.#table = table;
    return new Promise((resolve) => {
      this.#onLoaded = resolve;
      this.#spawn();
    });
  }

  #spawn(): void {
    this.#cause = undefined;
    this.#isAsked = false;
    this.#become('spawning');
    const { startTimeoutMs } = this.#options;
    if (startTimeoutMs > 0) this.#startTimer = setTimeout(() => this.#onStartTimeout(), startTimeoutMs);
    const events: ThreadEvents = {
      onReport: (report) => this.#onReport(report),
      onExit: (code, error) => this.#onExit(code, error),
    };
    try {
      const start = { ...this.#settings, table: this.#table, generations: this.#events.generations() };
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
      `Shard ${this.number} was not ready within ${startTimeoutMs} ms. Check what the module waits for while it is loaded, or raise \`timeouts.startTimeoutMs\`.`,
    );
    this.#thread?.terminate();
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
      case 'uncaught':
        return this.#onUncaught(report);
      case 'crowded':
        return this.#events.onCrowded(this);
      case 'streamsFull':
        return this.#events.onStreamsFull(this);
      case 'failure':
        return this.#events.onFailure(this, report);
    }
  }

  /** From here on the shard may claim, and not before: what it claims can be told from what was claimed before it. */
  #onReady(table: RouteTable, histograms: ShardHistograms): void {
    if (this.#state !== 'loading' || this.#cause !== undefined) return;
    clearTimeout(this.#startTimer);
    clearTimeout(this.#missingTimer);
    this.#missingTimer = undefined;
    this.#table ??= table;
    this.histograms = histograms;
    this.#readySince = performance.now();
    this.#isReplaced = false;
    this.#become('ready');
    this.#thread!.send({ type: 'go' });
    this.#onLoaded?.(table);
    this.#onLoaded = undefined;
  }

  /** The shard ends by itself, and in order. */
  #onUncaught({ error, request, ends }: Extract<ShardReport, { type: 'uncaught' }>): void {
    const whose =
      request === undefined
        ? 'an exception was not caught'
        : `${request.method} ${request.target} threw and nobody caught it`;
    const message = ends ? `${whose}; shard ${this.number} is replaced` : whose;
    this.#events.onFailure(this, { type: 'failure', message, error, ...(request && { request }) });
    if (!ends || (this.#state !== 'ready' && this.#state !== 'stuck')) return;
    this.#cause = endOf(this.number, { code: 1, error, wasReady: true });
    this.#drain();
  }

  /** Has the shard finish what it has started and end; another thread takes its place. Without effect unless it is ready. */
  replace(): void {
    if (this.#state !== 'ready' || this.#isClosing) return;
    const { graceMs } = this.#settings;
    this.#isAsked = true;
    this.#drain();
    this.send({ type: 'close', handlersMs: graceMs / 2, graceMs });
  }

  /** The thread ends by itself, or at the end of its grace. */
  #drain(): void {
    const { graceMs } = this.#settings;
    this.#isReplaced = true;
    this.#become('draining');
    this.#endTimer = setTimeout(() => {
      this.#cause ??= new LoopShardError(
        'SHARD_FAILED',
        `Shard ${this.number} did not end within ${graceMs} ms and was terminated.`,
      );
      this.#thread?.terminate();
    }, graceMs);
  }

  // ── stuck ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Its event loop does not turn. */
  stick(): void {
    if (this.#state === 'ready') this.#become('stuck');
  }

  /** Its event loop turns again. */
  unstick(): void {
    if (this.#state === 'stuck') this.#become('ready');
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The one place where a thread's life is over, however it ended. Its channel is empty. */
  #onExit(code: number, error: unknown): void {
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    const { state } = this;
    const wasReady = state === 'ready' || state === 'stuck' || (state === 'draining' && this.#readySince > 0);
    const livedMs = wasReady ? Math.max(1, performance.now() - this.#readySince) : 0;
    this.#readySince = 0;
    const cause = this.#cause ?? endOf(this.number, { code, error, wasReady });
    const nextMs = this.#isClosing ? undefined : this.#restarts.next(livedMs, performance.now());
    // Who waits for a thread that is sure not to come soon waits in vain.
    this.#isReplaced = wasReady && nextMs !== undefined && nextMs < MISSING_AFTER_MS;
    this.#become('ended');
    const wasAsked = this.#isClosing || (this.#isAsked && code === 0);
    const takenBack = this.#events.onEnded(this, { error: cause, wasReady, wasAsked }, nextMs);
    if (nextMs !== undefined && !this.#isClosing) this.#boundWait();
    if (takenBack === undefined) this.#startAnother(nextMs);
    else void takenBack.then(() => this.#startAnother(nextMs));
    for (const resolve of this.#onEnded.splice(0)) resolve();
  }

  /** Nobody waits for the next thread for longer than that, whatever holds it up. */
  #boundWait(): void {
    if (!this.#isReplaced) this.#miss();
    else this.#missingTimer ??= setTimeout(() => this.#miss(), MISSING_AFTER_MS);
  }

  #startAnother(nextMs: number | undefined): void {
    if (nextMs === undefined || this.#isClosing) return;
    this.#restartTimer = setTimeout(() => {
      this.restarts++;
      this.#spawn();
    }, nextMs);
  }

  #miss(): void {
    this.#isReplaced = false;
    this.#events.onMissing(this);
  }

  /**
   * Has the shard finish what it has started and end; whatever has not ended at the deadline is terminated.
   * @param deadline by `performance.now()`
   * @returns whether it has ended: a thread in native code may not
   */
  async close(deadline: number): Promise<boolean> {
    this.#stopStarting();
    if (this.#state === 'ready' || this.#state === 'stuck' || this.#state === 'draining') {
      const graceMs = Math.max(0, deadline - performance.now());
      this.#become('draining');
      // What is still in flight was cut off, or there is nothing: handlers need no more than to clean up.
      this.send({ type: 'close', handlersMs: graceMs / 4, graceMs });
      await this.#untilEnded(graceMs);
    }
    return this.terminate();
  }

  /** Ends the thread at once. Returns whether it has ended: one in native code may not. */
  async terminate(): Promise<boolean> {
    this.#stopStarting();
    if (this.#state === 'ended') return true;
    this.#thread!.terminate();
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

  /**
   * Another thread takes the place of an HTTP thread that has ended: opens a channel to it.
   * @returns its end of the channel; nothing while the shard has no thread
   */
  connectHttp(http: number, generation: number): MessagePort | undefined {
    const port = this.#state === 'ended' ? undefined : this.#thread?.connectHttp(http, generation);
    if (port !== undefined && this.#options.isSyncParked) this.#events.wake(this);
    return port;
  }

  // ── what is said to it ──────────────────────────────────────────────────────────────────────────────────────────

  send(command: ShardCommand): void {
    this.#thread?.send(command);
    if (this.#options.isSyncParked) this.#events.wake(this);
  }

  /** Takes what the shard has sent so far. */
  receive(): void {
    this.#thread?.receive();
  }
}

/** Each shard loads the module, and only the first one to listen on a port gets it. */
const LISTENS =
  'The module listens on a port, and each shard loads the module. Listen in the main module, beside `serve()`, or on port 0.';

/** A sentence about a thread that has ended without having said why. */
function endOf(shard: number, { code, error, wasReady }: { code: number; error: unknown; wasReady: boolean }) {
  const when = wasReady ? `Shard ${shard} ended` : `Shard ${shard} ended before it was ready`;
  const isListening = (error as { code?: unknown } | undefined)?.code === 'EADDRINUSE';
  const advice = isListening ? ` ${LISTENS}` : wasReady ? '' : ' Check what the module does while it is loaded.';
  const options = error === undefined ? undefined : { cause: error };
  return new LoopShardError(
    'SHARD_FAILED',
    `${when}: ${exitReason(code, error).replace(/\.$/, '')}.${advice}`,
    options,
  );
}

/** How long a circuit stays open, in words. */
export const CIRCUIT_TEXT = `${CIRCUIT_MS / 1_000} s`;
