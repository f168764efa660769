import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { HttpRecovery } from '../contract/http-recovery.js';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RouteTable } from '../contract/messages.js';
import { refusedError } from '../contract/refusal.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { HttpControlOptions, HttpEvents, HttpStats } from '../http/http-control.js';
import type { HttpCommand, HttpReport, HttpStart } from '../http/messages.js';
import { checkFree } from '../http/socket/listen.js';
import type { Listening } from '../options/listening.js';
import type { ResolvedOptions } from '../options/options.js';
import { Restarts } from '../pool/restarts.js';
import type { ShardState } from '../pool/shard-life.js';
import { entryOf, flagsOf } from '../pool/worker-entry.js';
import { type HttpThreads, httpOptions } from './http-threads.js';

const ENTRY = entryOf(new URL('../http/entry.js', import.meta.url));
/** How long `stats()` waits for a thread: its figures are left out if it takes longer. */
const STATS_MS = 1_000;

export interface HttpWorkersEvents extends HttpEvents {
  /**
   * An HTTP thread has ended, and its connections with it.
   * @param nextMs when another one is started
   */
  onHttpThreadEnded(http: number, error: LoopShardError, nextMs: number): void;
  /** Another thread has taken its place. */
  onHttpThreadRestarted(http: number): void;
  /** Opens channels between all shards that have a thread and an HTTP thread that is about to start. */
  connectHttp(http: number): (MessagePort | undefined)[];
}

/** Several HTTP threads, each of them a worker: the thread that has called `serve()` carries no traffic. Control thread. */
export class HttpWorkers implements HttpThreads {
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #lives: readonly HttpLife[];
  /** Who waits until all have taken back what a shard had. */
  readonly #takingBack = new Map<number, TakingBack>();
  readonly #states: { state: ShardState; isReplaced: boolean }[];
  readonly #stalled = new Set<string>();
  /** By shard: the HTTP threads that shed its requests. */
  readonly #shedders: readonly Set<HttpLife>[];
  readonly #listening: Listening;
  readonly #isShared: boolean;
  readonly #stuckAfterMs: number;
  readonly #events: HttpWorkersEvents;
  #table: RouteTable | undefined;
  #secureContext: SecureContextOptions | undefined;
  /** No HTTP thread is started any more. */
  #isClosing = false;

  constructor(core: CoreMemory, map: MemoryMap, options: ResolvedOptions, epochMs: number, events: HttpWorkersEvents) {
    this.#core = core;
    this.#map = map;
    this.#events = events;
    this.#stuckAfterMs = options.stuckAfterMs;
    this.#listening = options.listening;
    this.#isShared = options.listening.target.reusePort === true;
    this.#states = Array.from({ length: map.shards }, () => ({ state: 'ended', isReplaced: false }));
    const common = httpOptions(options, epochMs);
    this.#shedders = this.#states.map(() => new Set());
    this.#lives = Array.from({ length: map.httpThreads }, (_, http) => {
      const settings = { core, options: { ...common, http }, httpModule: options.httpModule };
      return new HttpLife(settings, options.maxRestarts, {
        onReport: (life, report) => this.#onReport(life, report),
        onEnded: (life) => this.#onEnded(life),
        onRestart: (life) => void this.#restart(life),
        onGivenUp: (life, error, nextMs) => events.onHttpThreadEnded(life.http, error, nextMs),
      });
    });
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async start(): Promise<void> {
    for (const life of this.#lives) life.spawn([]);
  }

  async begin(table: RouteTable): Promise<void> {
    this.#table = table;
    await Promise.all(this.#lives.map((life) => life.ask({ type: 'begin', table })));
  }

  /** The first one finds the port, if any will do; the others listen on the same. */
  async listen(): Promise<void> {
    const [first, ...others] = this.#lives;
    if (this.#isShared) await checkFree(this.#listening);
    await first.listen(undefined);
    await Promise.all(others.map((life) => life.listen(this.#port)));
  }

  /** Where all listen; nothing if each of them has a port of its own. */
  get #port(): number | undefined {
    return this.#isShared ? this.#lives[0].address?.port : undefined;
  }

  get addresses(): readonly AddressInfo[] {
    return this.#lives.flatMap(({ address }) => address ?? []);
  }

  // ── an HTTP thread that ends ────────────────────────────────────────────────────────────────────────────────────

  /** Its connections are gone with it. What shards have started for them goes on, and the next thread waits for it. */
  #onEnded(life: HttpLife): void {
    for (let shard = 0; shard < this.#shedders.length; shard++) this.#setShedding(life, shard, false);
    if (this.#isClosing || this.#table === undefined) return this.#haveTakenBack(life);
    life.recovery = new HttpRecovery(this.#core, this.#map, life.http, this.#table);
    for (const [shard, { left }] of this.#takingBack) if (left.has(life)) life.recovery.reclaim(shard);
    this.#haveTakenBack(life);
  }

  #haveTakenBack(life: HttpLife): void {
    for (const shard of [...this.#takingBack.keys()]) this.#hasTakenBack(life, shard);
  }

  /** Another thread takes its place: it learns what the one before it knew. */
  async #restart(life: HttpLife): Promise<void> {
    if (this.#isClosing) return;
    const unsettled = life.recovery?.unsettled ?? [];
    life.recovery = undefined;
    life.spawn(unsettled);
    for (const [shard, port] of this.#events.connectHttp(life.http).entries()) {
      if (port !== undefined) life.send({ type: 'attach', shard, port }, [port]);
    }
    for (const [shard, state] of this.#states.entries()) life.send({ type: 'state', shard, ...state });
    for (const [shard, { size }] of this.#shedders.entries()) {
      if (size > 0) life.send({ type: 'shedding', shard, shedding: true });
    }
    for (const group of this.#stalled) life.send({ type: 'stalled', group, stalled: true });
    try {
      await life.ask({ type: 'begin', table: this.#table! });
      if (this.#secureContext !== undefined) life.send({ type: 'secureContext', options: this.#secureContext });
      await life.listen(this.#port ?? life.address?.port);
      this.#events.onHttpThreadRestarted(life.http);
    } catch (error) {
      life.fail(error as LoopShardError);
    }
  }

  // ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────

  attach(shard: number, ports: readonly MessagePort[]): void {
    for (const [http, port] of ports.entries()) {
      if (this.#lives[http].isRunning) this.#lives[http].send({ type: 'attach', shard, port }, [port]);
      else port.close();
    }
  }

  setState(shard: number, state: ShardState, isReplaced: boolean): void {
    this.#states[shard] = { state, isReplaced };
    this.#tellAll({ type: 'state', shard, state, isReplaced });
  }

  takeBack(shard: number): Promise<void> | undefined {
    const left = new Set(this.#lives.filter(({ isRunning }) => isRunning));
    for (const { recovery } of this.#lives) recovery?.reclaim(shard);
    if (left.size === 0) return undefined;
    return new Promise((resolve) => {
      const timer = this.#stuckAfterMs > 0 ? setTimeout(() => this.#endStuck(left), this.#stuckAfterMs) : undefined;
      this.#takingBack.set(shard, { left, timer, resolve });
      this.#tellAll({ type: 'ended', shard });
    });
  }

  /** A shard must not wait for ever for an HTTP thread whose event loop does not turn. */
  #endStuck(left: ReadonlySet<HttpLife>): void {
    for (const life of left) {
      const reason = `HTTP thread ${life.http} was ended: its event loop has not turned for ${this.#stuckAfterMs} ms.`;
      life.fail(new LoopShardError('HTTP_THREAD_FAILED', reason));
    }
  }

  #hasTakenBack(life: HttpLife, shard: number): void {
    const waiting = this.#takingBack.get(shard);
    if (waiting === undefined) return;
    waiting.left.delete(life);
    if (waiting.left.size > 0) return;
    this.#takingBack.delete(shard);
    clearTimeout(waiting.timer);
    waiting.resolve();
  }

  onShardMissing(shard: number): void {
    this.#states[shard].isReplaced = false;
    this.#tellAll({ type: 'missing', shard });
  }

  setShedding(shard: number, shedding: boolean): void {
    this.#tellAll({ type: 'shedding', shard, shedding });
  }

  setStalled(group: string, stalled: boolean): void {
    if (stalled) this.#stalled.add(group);
    else this.#stalled.delete(group);
    this.#tellAll({ type: 'stalled', group, stalled });
  }

  onPermits(): void {
    this.#tellAll({ type: 'permits' });
  }

  #tellAll(command: HttpCommand): void {
    for (const life of this.#lives) life.send(command);
  }

  #onReport(life: HttpLife, report: HttpReport): void {
    switch (report.type) {
      case 'takenBack':
        return this.#hasTakenBack(life, report.shard);
      case 'shedding':
        return this.#setShedding(life, report.shard, report.shedding);
      case 'failure': {
        // Loggers know what to do with an Error.
        const error = Object.assign(new Error(report.error.message), report.error);
        return this.#events.onFailure(report.what, error);
      }
      case 'log':
        for (const { details, message } of report.lines) this.#events.log.info(details, message);
    }
  }

  /** A shard sheds as long as one of the HTTP threads does. */
  #setShedding(life: HttpLife, shard: number, shedding: boolean): void {
    const shedders = this.#shedders[shard];
    const before = shedders.size > 0;
    if (shedding) shedders.add(life);
    else shedders.delete(life);
    const after = shedders.size > 0;
    if (after !== before) this.#events.onShedding(shard, after);
  }

  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────

  setSecureContext(options: SecureContextOptions): void {
    this.#secureContext = options;
    this.#tellAll({ type: 'secureContext', options });
  }

  setUpgrades(): never {
    throw new LoopShardError(
      'OPTION_INVALID',
      `This server has ${this.#lives.length} HTTP threads, and a function cannot be passed to them. Export \`onUpgrade\` from a module and name it as \`httpModule\`, or set \`httpThreads: 1\`.`,
    );
  }

  leave(ms: number): void {
    this.#tellAll({ type: 'leave', ms });
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async drain(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#lives.map((life) => life.drain()));
  }

  stop(): void {
    this.#isClosing = true;
  }

  destroy(): void {
    this.#isClosing = true;
    this.#tellAll({ type: 'destroy' });
  }

  async end(): Promise<void> {
    this.#isClosing = true;
    for (const { timer } of this.#takingBack.values()) clearTimeout(timer);
    await Promise.all(this.#lives.map((life) => life.end()));
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  stats(): HttpStats[] {
    return this.#lives.flatMap((life) => life.stats() ?? []);
  }
}

/** A shard whose thread has ended, and the HTTP threads that have not taken back what it had of theirs. */
interface TakingBack {
  left: Set<HttpLife>;
  timer: NodeJS.Timeout | undefined;
  resolve: () => void;
}

interface HttpLifeEvents {
  onReport(life: HttpLife, report: HttpReport): void;
  /** The thread has exited, and its messages were heard. Called before anything else is done about it. */
  onEnded(life: HttpLife): void;
  /** It is time to start another one. */
  onRestart(life: HttpLife): void;
  onGivenUp(life: HttpLife, error: LoopShardError, nextMs: number): void;
}

interface HttpSettings {
  core: CoreMemory;
  options: HttpControlOptions;
  httpModule: string | undefined;
}

/** The life of one HTTP thread: starts its worker, sees it end, and has another one started. Control thread. */
class HttpLife {
  readonly http: number;
  /** Where it listens, or did. */
  address: AddressInfo | undefined;
  /** Acts for the thread while there is none. */
  recovery: HttpRecovery | undefined;
  readonly #settings: HttpSettings;
  readonly #events: HttpLifeEvents;
  readonly #restarts: Restarts;
  readonly #answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #worker: Worker | undefined;
  #channel: MessagePort | undefined;
  /** Who waits for an answer: there is one question at a time. */
  #asked: { resolve: () => void; reject: (error: LoopShardError) => void } | undefined;
  #drained: (() => void) | undefined;
  #exited: (() => void) | undefined;
  #stats: HttpStats | undefined;
  #error: unknown;
  #cause: LoopShardError | undefined;
  #listensSince = 0;
  #isEnding = false;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(settings: HttpSettings, maxRestarts: number, events: HttpLifeEvents) {
    this.http = settings.options.http;
    this.#settings = settings;
    this.#events = events;
    this.#restarts = new Restarts(maxRestarts);
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  spawn(unsettled: readonly number[]): void {
    const { core, options, httpModule } = this.#settings;
    const { port1, port2 } = new MessageChannel();
    const answered = this.#answered;
    const workerData: HttpStart = { core: core.share(), options, httpModule, channel: port2, unsettled, answered };
    this.#error = this.#cause = undefined;
    this.#listensSince = 0;
    this.#channel = port1;
    port1.on('message', (report: HttpReport) => this.#onReport(report));
    port1.unref();
    this.#worker = new Worker(ENTRY, { workerData, transferList: [port2], ...flagsOf(undefined) });
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#worker.once('exit', (code) => this.#onExit(code));
  }

  #onExit(code: number): void {
    this.#receive();
    this.#channel?.close();
    this.#channel = this.#worker = undefined;
    const error = this.#cause ?? endOf(this.http, code, this.#error);
    this.#events.onEnded(this);
    this.#asked?.reject(error);
    this.#asked = undefined;
    this.#drained?.();
    this.#exited?.();
    if (this.#isEnding || this.address === undefined) return;
    const livedMs = this.#listensSince === 0 ? 0 : Math.max(1, performance.now() - this.#listensSince);
    const nextMs = this.#restarts.next(livedMs, performance.now());
    this.#events.onGivenUp(this, error, nextMs);
    this.#restartTimer = setTimeout(() => this.#events.onRestart(this), nextMs);
  }

  /** The thread is of no use: it ends, and another one is started. */
  fail(cause: LoopShardError): void {
    this.#cause ??= cause;
    void this.#worker?.terminate();
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  send(command: HttpCommand, transfer: MessagePort[] = []): void {
    this.#channel?.postMessage(command, transfer);
  }

  /** Resolves when the thread has done what it was asked. Rejects with what it refuses with, or how it ended. */
  ask(command: HttpCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#channel === undefined) return reject(this.#cause ?? endOf(this.http, 1, this.#error));
      this.#asked = { resolve, reject };
      this.send(command);
    });
  }

  async listen(port: number | undefined): Promise<void> {
    await this.ask({ type: 'listen', port });
    this.#listensSince = performance.now();
  }

  #receive(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    for (let got = receiveMessageOnPort(channel); got !== undefined; got = receiveMessageOnPort(channel)) {
      this.#onReport(got.message);
    }
  }

  #onReport(report: HttpReport): void {
    switch (report.type) {
      case 'refused':
        this.#cause = refusedError(report);
        this.#asked?.reject(this.#cause);
        this.#asked = undefined;
        return;
      case 'listening':
        this.address = report.address;
        return this.#onAnswer();
      case 'begun':
        return this.#onAnswer();
      case 'drained':
        return this.#drained?.();
      case 'stats':
        this.#stats = report.stats;
        return;
      default:
        return this.#events.onReport(this, report);
    }
  }

  #onAnswer(): void {
    this.#asked?.resolve();
    this.#asked = undefined;
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  drain(): Promise<void> {
    this.#stopStarting();
    if (!this.isRunning) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.send({ type: 'drain' });
    });
  }

  end(): Promise<void> {
    this.#stopStarting();
    if (this.#worker === undefined) return Promise.resolve();
    // Behind everything that it was told: what it says now stays true.
    this.stats();
    return new Promise((resolve) => {
      this.#exited = resolve;
      void this.#worker!.terminate();
    });
  }

  #stopStarting(): void {
    this.#isEnding = true;
    clearTimeout(this.#restartTimer);
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Asks the thread, and blocks until it has answered; nothing if it takes too long. Once the server is closed, these are the figures of
   * its end.
   */
  stats(): HttpStats | undefined {
    if (this.#isEnding && !this.isRunning) return this.#stats;
    if (!this.isRunning || this.#listensSince === 0) return undefined;
    this.#stats = undefined;
    const deadline = performance.now() + STATS_MS;
    const before = Atomics.load(this.#answered, 0);
    this.send({ type: 'stats' });
    while (this.#stats === undefined) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || Atomics.wait(this.#answered, 0, before, leftMs) === 'timed-out') break;
      this.#receive();
    }
    return this.#stats;
  }
}

function endOf(http: number, code: number, error: unknown): LoopShardError {
  const message = (error as { message?: unknown } | undefined)?.message;
  const reason = typeof message === 'string' ? message.replace(/\.$/, '') : `exit code ${code}`;
  return new LoopShardError('HTTP_THREAD_FAILED', `HTTP thread ${http} ended: ${reason}.`, { cause: error });
}
