import { url as inspectorUrl } from 'node:inspector';
import type { AddressInfo } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { toError } from '../contract/describe.js';
import { HttpRecovery } from '../contract/http-recovery.js';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RequestName, RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { HttpEvents, HttpStats } from '../http/http-control.js';
import { createHttpCounts } from '../http/http-counts.js';
import type { HttpReport } from '../http/messages.js';
import type { HttpNews, ShardNews } from '../http/news.js';
import { checkFree } from '../http/socket/listen.js';
import type { ResolvedOptions } from '../options/options.js';
import { HttpLife } from './http-life.js';
import { type HttpThreads, httpOptions } from './http-threads.js';

/** How long `stats()` waits for replies: slower threads are left out. */
const STATS_MS = 500;
/** How often completions of an ended HTTP thread are taken back, until the next one begins. */
const REAP_MS = 10;
/** Checks within `stuckAfterMs`. Time is counted in checks, so that no thread seems stuck after the process was suspended. */
const LOOKS = 4;

export interface HttpWorkersEvents extends Omit<HttpEvents, 'onUnknown'> {
  /**
   * An HTTP thread has ended, and its connections with it.
   * @param nextMs delay before the next thread is started; undefined if none is
   */
  onHttpThreadEnded(http: number, error: LoopShardError, nextMs: number | undefined): void;
  /** The next thread has replaced an ended one. */
  onHttpThreadRestarted(http: number): void;
  /** The clients of these requests, which shards have started, have disconnected. */
  tellGone(http: number, requests: readonly RequestName[]): void;
  /** Opens a channel between an HTTP thread that is about to start and each shard that has a thread. */
  connectHttp(http: number): (MessagePort | undefined)[];
}

/** A shard whose thread has ended, and the HTTP threads that have not yet taken back their slots. */
interface TakingBack {
  left: Set<HttpLife>;
  resolve: () => void;
}

/** What the latest check found about an HTTP thread. */
interface Seen {
  pongs: number;
  /** Whether a `ping` is unanswered. */
  isAsked: boolean;
  /** Checks since then. */
  misses: number;
}

/** Several HTTP threads, each of them a worker; the thread that called `serve()` carries no traffic. Control thread. */
export class HttpWorkers implements HttpThreads {
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #options: ResolvedOptions;
  readonly #events: HttpWorkersEvents;
  readonly #lives: readonly HttpLife[];
  #loaded: Promise<unknown> = Promise.resolve();
  /** By shard. */
  readonly #takingBack = new Map<number, TakingBack>();
  /** By shard: the HTTP threads that shed its requests. */
  readonly #shedders: readonly Set<HttpLife>[];
  /** The latest news on each subject, which threads that start later receive too. */
  readonly #standing = new Map<string, HttpNews>();
  /** When the server ends, by `performance.now()`, once it is closing. */
  #leavesAt: number | undefined;
  #table: RouteTable | undefined;
  /** By HTTP thread: where it counts, and where it counts responses by route; empty without metrics. */
  readonly #counts: readonly SharedArrayBuffer[];
  #routeCounts: readonly SharedArrayBuffer[] = [];
  /** No further thread is started. */
  #isClosing = false;
  /** All threads are told to end. */
  #isEnding = false;
  readonly #seen: readonly Seen[];
  #heartbeat: NodeJS.Timeout | undefined;
  #reaper: NodeJS.Timeout | undefined;

  constructor(core: CoreMemory, map: MemoryMap, options: ResolvedOptions, epochMs: number, events: HttpWorkersEvents) {
    this.#core = core;
    this.#map = map;
    this.#options = options;
    this.#events = events;
    this.#shedders = Array.from({ length: map.shards }, () => new Set());
    const { httpModule, startTimeoutMs, maxRestarts } = options;
    const common = { core, httpModule, startTimeoutMs, maxRestarts };
    const ofAll = httpOptions(options, epochMs);
    this.#counts = options.metrics ? Array.from({ length: map.httpThreads }, createHttpCounts) : [];
    this.#lives = Array.from({ length: map.httpThreads }, (_, http) => {
      return new HttpLife(
        { ...common, options: { ...ofAll, http, counts: this.#counts[http] } },
        {
          onReport: (life, report) => this.#onReport(life, report),
          onEnded: (life, error, nextMs) => this.#onEnded(life, error, nextMs),
          onRestart: (life) => void this.#restart(life),
        },
      );
    });
    this.#seen = this.#lives.map(() => ({ pongs: 0, isAsked: false, misses: 0 }));
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async start(): Promise<void> {
    this.#loaded = Promise.all(this.#lives.map((life) => life.start()));
    // `loaded` reports this failure to the caller.
    this.#loaded.catch(() => {});
  }

  async loaded(): Promise<void> {
    await this.#loaded;
  }

  async begin(table: RouteTable, counts: readonly SharedArrayBuffer[]): Promise<void> {
    this.#table = table;
    this.#routeCounts = counts;
    await Promise.all(this.#lives.map((life) => life.begin({ table, memory: counts[life.http] }, [])));
  }

  /** The first thread chooses the port if any will do; the others listen on the same. */
  async listen(): Promise<void> {
    const { listening, stuckAfterMs } = this.#options;
    const [first, ...others] = this.#lives;
    if (this.#isShared) await checkFree(listening);
    await first.listen(undefined);
    await Promise.all(others.map((life) => life.listen(this.#port)));
    if (stuckAfterMs > 0) this.#heartbeat = setInterval(() => this.#look(), Math.ceil(stuckAfterMs / LOOKS)).unref();
  }

  get #isShared(): boolean {
    return this.#options.listening.target.reusePort === true;
  }

  /** The port that all threads share; undefined if each has its own. */
  get #port(): number | undefined {
    return this.#isShared ? this.#lives[0].address?.port : undefined;
  }

  get addresses(): readonly AddressInfo[] {
    return this.#lives.flatMap(({ address }) => address ?? []);
  }

  // ── an HTTP thread that ends ────────────────────────────────────────────────────────────────────────────────────

  /** Its connections have ended with it. Handlers that shards have started for them continue, and the next thread waits for them. */
  #onEnded(life: HttpLife, error: LoopShardError, nextMs: number | undefined): void {
    for (let shard = 0; shard < this.#shedders.length; shard++) this.#setShedding(life, shard, false);
    // A thread without routes has had no requests, and a server that is ending has no clients.
    if (this.#table !== undefined && !this.#isEnding) {
      life.recovery = new HttpRecovery(this.#core, this.#map, life.http, this.#table);
      this.#events.tellGone(life.http, life.recovery.requests);
      this.#reaper ??= setInterval(() => this.#reap(), REAP_MS).unref();
      for (const [shard, { left }] of this.#takingBack) if (left.has(life)) life.recovery.reclaim(shard);
      if (!life.wasAsked) this.#events.onHttpThreadEnded(life.http, error, nextMs);
    }
    for (const shard of [...this.#takingBack.keys()]) this.#hasTakenBack(life, shard);
  }

  /** Releases what handlers of ended threads hold, such as permits of routes, when they settle, even before the next thread begins. */
  #reap(): void {
    let isLeft = false;
    for (const { recovery } of this.#lives) if (recovery?.reap() === true) isLeft = true;
    if (isLeft) return;
    clearInterval(this.#reaper);
    this.#reaper = undefined;
  }

  /** Starts the next thread and tells it what the previous one knew. */
  async #restart(life: HttpLife): Promise<void> {
    if (this.#isClosing) return;
    try {
      const loaded = life.start();
      for (const [shard, port] of this.#events.connectHttp(life.http).entries()) {
        if (port !== undefined) life.send({ type: 'attach', shard, port }, [port]);
      }
      await loaded;
      life.recovery?.reap();
      const unsettled = life.recovery?.unsettled ?? [];
      life.recovery = undefined;
      await life.begin({ table: this.#table!, memory: this.#routeCounts[life.http] }, unsettled);
      for (const news of this.#standing.values()) life.send(news);
      if (this.#leavesAt !== undefined) life.send({ type: 'leave', ms: this.#leavesAt - performance.now() });
      if (this.#isClosing) return void life.end();
      await life.listen(this.#port ?? life.address?.port);
      this.#events.onHttpThreadRestarted(life.http);
    } catch (error) {
      life.fail(error as LoopShardError);
    }
  }

  /** Terminates threads whose event loops are blocked: the kernel would keep giving them connections. */
  #look(): void {
    // A thread at a breakpoint is not stuck.
    if (inspectorUrl() !== undefined) return;
    for (const [http, life] of this.#lives.entries()) {
      // Messages that arrived while this thread was busy count.
      life.receive();
      const seen = this.#seen[http];
      if (life.state !== 'listening' || life.pongs !== seen.pongs) {
        Object.assign(seen, { pongs: life.pongs, isAsked: false, misses: 0 });
      } else if (!seen.isAsked) {
        seen.isAsked = true;
        life.send({ type: 'ping' });
      } else if (++seen.misses >= LOOKS) {
        life.fail(this.#blocked(http));
      }
    }
  }

  #blocked(http: number): LoopShardError {
    const { stuckAfterMs } = this.#options;
    return new LoopShardError(
      'HTTP_THREAD_FAILED',
      `HTTP thread ${http} was terminated: its event loop was blocked for more than ${stuckAfterMs} ms (\`recovery.stuckAfterMs\`).`,
    );
  }

  // ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────

  attach(_revision: number, shard: number, ports: readonly MessagePort[]): void {
    for (const [http, port] of ports.entries()) {
      if (this.#lives[http].isRunning) this.#lives[http].send({ type: 'attach', shard, port }, [port]);
      else port.close();
    }
  }

  takeBack(_revision: number, shard: number): Promise<void> | undefined {
    const left = new Set(this.#lives.filter(({ hasBegun }) => hasBegun));
    for (const { recovery } of this.#lives) recovery?.reclaim(shard);
    if (left.size === 0) return undefined;
    return new Promise((resolve) => {
      this.#takingBack.set(shard, { left, resolve });
      for (const life of left) life.send({ type: 'ended', shard });
    });
  }

  #hasTakenBack(life: HttpLife, shard: number): void {
    const waiting = this.#takingBack.get(shard);
    if (waiting === undefined) return;
    waiting.left.delete(life);
    if (waiting.left.size > 0) return;
    this.#takingBack.delete(shard);
    waiting.resolve();
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  tell(news: HttpNews): void {
    this.#note(news);
    for (const life of this.#lives) life.send(news);
  }

  #note(news: HttpNews): void {
    switch (news.type) {
      case 'shard':
        return this.#noteOf(news, news.about);
      case 'secureContext':
        this.#standing.set(news.type, checkedClone(news));
        return;
      case 'leave':
        this.#leavesAt = performance.now() + news.ms;
        return;
      case 'stop':
      case 'destroy':
        this.#stopStarting();
    }
  }

  #noteOf(news: Extract<HttpNews, { type: 'shard' }>, about: ShardNews): void {
    switch (about.type) {
      case 'state':
        this.#standing.set(`shard ${about.shard}`, news);
        return;
      case 'missing': {
        const key = `shard ${about.shard}`;
        const latest = this.#standing.get(key);
        if (latest?.type === 'shard' && latest.about.type === 'state')
          this.#standing.set(key, { ...latest, about: { ...latest.about, isReplaced: false } });
        return;
      }
      case 'shedding':
        this.#standing.set(`shedding ${about.shard}`, news);
        return;
      case 'stalled':
        this.#standing.set(`stalled ${about.group}`, news);
        return;
      case 'checks':
        this.#standing.set(`checks ${about.shard}`, news);
    }
  }

  #onReport(life: HttpLife, report: HttpReport): void {
    switch (report.type) {
      case 'takenBack':
        return this.#hasTakenBack(life, report.shard);
      case 'shedding':
        return this.#setShedding(life, report.shard, report.shedding);
      case 'failure':
        return this.#events.onFailure(report.what, toError(report.error));
      case 'log':
        for (const { details, message } of report.lines) this.#events.log.info(details, message);
    }
  }

  /** A shard is shedding as long as one of the HTTP threads sheds its requests. */
  #setShedding(life: HttpLife, shard: number, shedding: boolean): void {
    const shedders = this.#shedders[shard];
    const before = shedders.size > 0;
    if (shedding) shedders.add(life);
    else shedders.delete(life);
    const after = shedders.size > 0;
    if (after !== before) this.#events.onShedding(0, shard, after);
  }

  open(): never {
    throw new LoopShardError(
      'RELOAD_UNSUPPORTED',
      `Cannot reload with ${this.#lives.length} HTTP threads. Set \`httpThreads: 1\`, or restart the process.`,
    );
  }

  switchTo(): void {}

  async drained(): Promise<void> {}

  forget(): void {}

  setUpgrades(): never {
    throw new LoopShardError(
      'OPTION_INVALID',
      `\`onUpgrade\` cannot take a function with ${this.#lives.length} HTTP threads. Export \`onUpgrade\` from a module and set \`httpModule\` to its path, or set \`httpThreads: 1\`.`,
    );
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #stopStarting(): void {
    this.#isClosing = true;
    for (const life of this.#lives) life.stopStarting();
  }

  async drain(): Promise<void> {
    this.#stopStarting();
    await Promise.all(this.#lives.map((life) => life.drain()));
  }

  async end(): Promise<void> {
    this.#stopStarting();
    this.#isEnding = true;
    clearInterval(this.#heartbeat);
    clearInterval(this.#reaper);
    await Promise.all(this.#lives.map((life) => life.end()));
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  stats(): HttpStats[] {
    const deadline = performance.now() + STATS_MS;
    const asked = this.#lives.filter((life) => life.askStats());
    for (const life of asked) life.awaitStats(deadline);
    const answering = this.#isEnding ? this.#lives : asked;
    return answering.flatMap(({ latest }) => latest ?? []);
  }

  counts(): readonly SharedArrayBuffer[] {
    return this.#counts;
  }
}

/** @throws LoopShardError OPTION_INVALID for options that cannot be passed to another thread */
function checkedClone(news: Extract<HttpNews, { type: 'secureContext' }>): HttpNews {
  try {
    return structuredClone(news);
  } catch (cause) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `These options cannot be passed to several HTTP threads: ${(cause as Error).message}.`,
      { cause },
    );
  }
}
