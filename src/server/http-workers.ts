import { url as inspectorUrl } from 'node:inspector';
import type { AddressInfo } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { toError } from '../contract/describe.js';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RequestName, RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { HttpEvents, HttpStats } from '../http/http-control.js';
import { createHttpCounts } from '../http/http-counts.js';
import type { HttpReport } from '../http/messages.js';
import type { HttpNews } from '../http/news.js';
import { checkFree } from '../http/socket/listen.js';
import type { ResolvedOptions } from '../options/options.js';
import { HttpLife } from './http-life.js';
import { HttpRevision } from './http-revision.js';
import { type HttpThreads, httpOptions } from './http-threads.js';

/** How long `stats()` waits for replies: slower threads are left out. */
const STATS_MS = 500;
/** How often completions of an ended HTTP thread are taken back, until the next one is prepared. */
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
  /** The clients of these requests, which shards of a revision have started, have disconnected. */
  tellGone(revision: number, http: number, requests: readonly RequestName[]): void;
  /** Opens a channel between an HTTP thread that is about to start and each shard of a revision that has a thread. */
  connectHttp(revision: number, http: number): (MessagePort | undefined)[];
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
  readonly #options: ResolvedOptions;
  readonly #events: HttpWorkersEvents;
  readonly #lives: readonly HttpLife[];
  #loaded: Promise<unknown> = Promise.resolve();
  /** Those whose shards have threads, by number. */
  readonly #revisions = new Map<number, HttpRevision>();
  /** The one that gets new requests. */
  #current: HttpRevision | undefined;
  /** Set once the certificates were changed. */
  #secureContext: HttpNews | undefined;
  /** When the server ends, by `performance.now()`, once it is closing. */
  #leavesAt: number | undefined;
  /** By HTTP thread: where it counts; empty without metrics. */
  readonly #counts: readonly SharedArrayBuffer[];
  /** No further thread is started. */
  #isClosing = false;
  /** All threads are told to end. */
  #isEnding = false;
  readonly #seen: readonly Seen[];
  #heartbeat: NodeJS.Timeout | undefined;
  #reaper: NodeJS.Timeout | undefined;

  constructor(options: ResolvedOptions, epochMs: number, events: HttpWorkersEvents) {
    this.#options = options;
    this.#events = events;
    const { httpModule, startTimeoutMs, maxRestarts, httpThreads } = options;
    const common = { httpModule, startTimeoutMs, maxRestarts };
    const ofAll = httpOptions(options, epochMs);
    this.#counts = options.metrics ? Array.from({ length: httpThreads }, createHttpCounts) : [];
    this.#lives = Array.from({ length: httpThreads }, (_, http) => {
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

  // ── revisions ───────────────────────────────────────────────────────────────────────────────────────────────────

  open(number: number, core: CoreMemory, map: MemoryMap): void {
    const revision = new HttpRevision(number, core, map, this.#events.onShedding);
    this.#revisions.set(number, revision);
    for (const life of this.#lives) if (life.isRunning) revision.open(life);
  }

  async prepare(number: number, table: RouteTable, counts: readonly SharedArrayBuffer[]): Promise<void> {
    const revision = this.#revisions.get(number)!;
    revision.table = table;
    revision.counts = counts;
    // A thread that has not loaded its modules is prepared when it has.
    const loaded = this.#lives.filter(({ isLoaded }) => isLoaded);
    await Promise.all(loaded.map((life) => this.#unlessReplaced(life, revision.prepare(life))));
  }

  async switchTo(number: number): Promise<void> {
    const last = this.#current;
    const next = this.#revisions.get(number)!;
    this.#current = next;
    await Promise.all(this.#lives.map((life) => this.#switch(life, next, last)));
  }

  async #switch(life: HttpLife, next: HttpRevision, last: HttpRevision | undefined): Promise<void> {
    const hasSwitched =
      next.isPreparedOn(life) &&
      (await this.#unlessReplaced(life, life.order({ type: 'switchTo', revision: next.number })));
    // The thread that replaces it begins with the next revision.
    if (!hasSwitched && last !== undefined) next.continueNumbers(life.http, last);
  }

  /** Returns `false` if the thread has ended instead, and another one replaces it, which will know every revision. */
  async #unlessReplaced(life: HttpLife, done: Promise<void>): Promise<boolean> {
    try {
      await done;
      return true;
    } catch (error) {
      if (life.isReplaced && error === life.cause) return false;
      throw error;
    }
  }

  async drained(number: number): Promise<void> {
    if (!this.#isEnding) await this.#revisions.get(number)!.drained(this.#lives);
  }

  async forget(number: number): Promise<void> {
    const revision = this.#revisions.get(number)!;
    revision.isForgotten = true;
    const running = this.#lives.filter(({ isRunning }) => isRunning);
    // A thread that ends instead has forgotten it as well.
    await Promise.allSettled(running.map((life) => life.order({ type: 'forget', revision: number })));
    this.#revisions.delete(number);
  }

  // ── an HTTP thread that ends ────────────────────────────────────────────────────────────────────────────────────

  /** Its connections have ended with it. Handlers that shards have started for them continue, and the next thread waits for them. */
  #onEnded(life: HttpLife, error: LoopShardError, nextMs: number | undefined): void {
    for (const revision of this.#revisions.values()) {
      const requests = revision.onEnded(life);
      if (requests !== undefined) this.#events.tellGone(revision.number, life.http, requests);
    }
    // The server is starting or ending.
    if (this.#current === undefined || this.#isEnding) return;
    this.#reaper ??= setInterval(() => this.#reap(), REAP_MS).unref();
    if (!life.wasAsked) this.#events.onHttpThreadEnded(life.http, error, nextMs);
  }

  /** Releases what handlers of ended threads hold, such as permits of routes, when they settle, even before the next thread is prepared. */
  #reap(): void {
    let isLeft = false;
    for (const revision of this.#revisions.values()) if (revision.reap()) isLeft = true;
    if (isLeft) return;
    clearInterval(this.#reaper);
    this.#reaper = undefined;
  }

  /** Starts the next thread and tells it what the previous one knew. */
  async #restart(life: HttpLife): Promise<void> {
    if (this.#isClosing) return;
    try {
      const loaded = life.start();
      for (const revision of this.#known) this.#introduce(life, revision);
      await loaded;
      await this.#catchUp(life);
      if (this.#isClosing) return void life.end();
      await life.listen(this.#port ?? life.address?.port);
      this.#events.onHttpThreadRestarted(life.http);
    } catch (error) {
      life.fail(error as LoopShardError);
    }
  }

  /** The revisions that threads need to know, the current one first: its memory keeps the head index of their parsers. */
  get #known(): HttpRevision[] {
    const known = [...this.#revisions.values()].filter(({ isForgotten }) => !isForgotten);
    return known.sort((a, b) => Number(b === this.#current) - Number(a === this.#current));
  }

  #introduce(life: HttpLife, revision: HttpRevision): void {
    revision.open(life);
    for (const [shard, port] of this.#events.connectHttp(revision.number, life.http).entries()) {
      if (port !== undefined) revision.attach(life, shard, port);
    }
  }

  /** Brings a thread that has loaded its modules to the state of the others. */
  async #catchUp(life: HttpLife): Promise<void> {
    const missing = this.#known.filter((one) => one.table !== undefined && !one.isPreparedOn(life));
    // All of it is sent at once: from then on the thread is told of changes like the others.
    const done = missing.map((revision) => revision.prepare(life));
    done.push(life.order({ type: 'switchTo', revision: this.#current!.number }));
    if (this.#secureContext !== undefined) life.send(this.#secureContext);
    if (this.#leavesAt !== undefined) life.send({ type: 'leave', ms: this.#leavesAt - performance.now() });
    await Promise.all(done);
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

  attach(number: number, shard: number, ports: readonly MessagePort[]): void {
    const revision = this.#revisions.get(number)!;
    for (const [http, port] of ports.entries()) {
      if (this.#lives[http].isRunning) revision.attach(this.#lives[http], shard, port);
      else port.close();
    }
  }

  takeBack(revision: number, shard: number): Promise<void> | undefined {
    return this.#revisions.get(revision)!.takeBack(shard);
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  tell(news: HttpNews): void {
    this.#note(news);
    for (const life of this.#lives) life.send(news);
  }

  #note(news: HttpNews): void {
    switch (news.type) {
      case 'shard':
        return this.#revisions.get(news.revision)?.note(news);
      case 'secureContext':
        this.#secureContext = checkedClone(news);
        return;
      case 'leave':
        this.#leavesAt = performance.now() + news.ms;
        return;
      case 'stop':
      case 'destroy':
        this.#stopStarting();
    }
  }

  #onReport(life: HttpLife, report: HttpReport): void {
    switch (report.type) {
      case 'takenBack':
        return this.#revisions.get(report.revision)?.hasTakenBack(life, report.shard);
      case 'shedding':
        return this.#revisions.get(report.revision)?.setShedding(life, report.shard, report.shedding);
      case 'failure':
        return this.#events.onFailure(report.what, toError(report.error));
      case 'log':
        for (const { details, message } of report.lines) this.#events.log.info(details, message);
    }
  }

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
    for (const revision of this.#revisions.values()) revision.stopWaiting();
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
