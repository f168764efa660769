import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import { HttpControl, type HttpControlOptions, type HttpEvents, type HttpStats } from '../http/http-control.js';
import { createHttpCounts } from '../http/http-counts.js';
import { type HttpFunctions, loadHttpModule } from '../http/http-module.js';
import type { HttpNews } from '../http/news.js';
import { checkFree } from '../http/socket/listen.js';
import type { Upgrades } from '../http/socket/upgrade.js';
import type { ResolvedOptions } from '../options/options.js';
import { notReady } from './http-life.js';

/**
 * All HTTP threads of a server, for the control thread. The start and each reload take the same steps: `open` before the shards of the
 * revision start, `prepare` when they agree on their routes, and `switchTo`.
 */
export interface HttpThreads {
  /** @throws LoopShardError as `loadHttpModule` */
  start(): Promise<void>;
  /** Resolves when every HTTP thread has loaded its modules. @throws LoopShardError as `loadHttpModule`, HTTP_THREAD_FAILED */
  loaded(): Promise<void>;
  /**
   * Prepares for messages about the shards of a revision.
   * @param revision its number
   */
  open(revision: number, core: CoreMemory, map: MemoryMap): void;
  /**
   * Prepares every HTTP thread for requests of an open revision.
   * @param table on which its shards agree
   * @param counts by HTTP thread: where it counts responses by route; empty without metrics
   * @throws LoopShardError as `HttpControl.prepare`, HTTP_THREAD_FAILED
   */
  prepare(revision: number, table: RouteTable, counts: readonly SharedArrayBuffer[]): Promise<void>;
  /** Passes new requests to the shards of a prepared revision. Resolves when every HTTP thread does. */
  switchTo(revision: number): Promise<void>;
  /** @throws LoopShardError as `HttpControl.listen`, HTTP_THREAD_FAILED */
  listen(): Promise<void>;
  /** Resolves when all requests of the revision have got their responses from shards. */
  drained(revision: number): Promise<void>;
  /** All threads of the revision's shards have ended. Resolves when no HTTP thread refers to its memory for a response. */
  forget(revision: number): Promise<void>;
  /** The address on which each of them listens. */
  readonly addresses: readonly AddressInfo[];
  /** A thread of `shard` starts: `ports` are the ends of its channels, one per HTTP thread. */
  attach(revision: number, shard: number, ports: readonly MessagePort[]): void;
  /** The thread of `shard` has exited. Resolves when all HTTP threads have taken back their slots; undefined if they already have. */
  takeBack(revision: number, shard: number): Promise<void> | undefined;
  /** Sends the news to all HTTP threads. */
  tell(news: HttpNews): void;
  /** @throws LoopShardError OPTION_INVALID if a function would have to be passed to another thread */
  setUpgrades(upgrades: Upgrades | undefined): void;
  /** As `HttpThread.drain()`. */
  drain(): Promise<void>;
  /** Ends the HTTP threads that are workers, after the shards have ended. Resolves when none is left. */
  end(): Promise<void>;
  /** The figures of each HTTP thread that replies; once they have ended, their last figures. */
  stats(): HttpStats[];
  /** By HTTP thread: where it counts (`createHttpCounts`), without asking it; empty without metrics. */
  counts(): readonly SharedArrayBuffer[];
}

const TICKET_KEYS_BYTES = 48;

/** The options for HTTP threads, as plain data. */
export function httpOptions(options: ResolvedOptions, epochMs: number): Omit<HttpControlOptions, 'http' | 'counts'> {
  const { logger: _logger, priority: _priority, env: _env, execArgv: _execArgv, listening, ...rest } = options;
  const { tls } = listening;
  if (tls === undefined || options.httpThreads === 1 || tls.ticketKeys !== undefined) {
    return { ...rest, epochMs, listening };
  }
  // One key for all threads, so that a client resumes its TLS session on any of them.
  return { ...rest, epochMs, listening: { ...listening, tls: { ...tls, ticketKeys: randomBytes(TICKET_KEYS_BYTES) } } };
}

/** The only HTTP thread: the one that called `serve()`. */
export class CallingThread implements HttpThreads {
  readonly #options: HttpControlOptions;
  readonly #given: Pick<ResolvedOptions, 'priority' | 'httpModule' | 'startTimeoutMs'>;
  readonly #events: HttpEvents;
  #control: HttpControl | undefined;
  #addresses: AddressInfo[] = [];

  constructor(options: ResolvedOptions, epochMs: number, events: HttpEvents) {
    const counts = options.metrics ? createHttpCounts() : undefined;
    this.#options = { ...httpOptions(options, epochMs), http: 0, counts };
    this.#given = options;
    this.#events = events;
  }

  async start(): Promise<void> {
    const { priority, httpModule } = this.#given;
    const functions = await this.#load(httpModule);
    const own = { ...functions, priority: priority ?? functions.priority };
    this.#control = new HttpControl(this.#options, own, this.#events);
  }

  /** @throws LoopShardError HTTP_THREAD_FAILED if loading times out */
  async #load(httpModule: string | undefined): Promise<HttpFunctions> {
    const { startTimeoutMs } = this.#given;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      if (startTimeoutMs > 0) timer = setTimeout(() => reject(notReady(0, startTimeoutMs)), startTimeoutMs);
    });
    return Promise.race([loadHttpModule(httpModule), late]).finally(() => clearTimeout(timer));
  }

  async loaded(): Promise<void> {}

  open(revision: number, core: CoreMemory, map: MemoryMap): void {
    this.#control!.open(revision, core, map);
  }

  async prepare(revision: number, table: RouteTable, [memory]: readonly SharedArrayBuffer[]): Promise<void> {
    this.#control!.prepare(revision, { table, memory });
  }

  async switchTo(revision: number): Promise<void> {
    this.#control!.switchTo(revision);
  }

  async listen(): Promise<void> {
    const { listening } = this.#options;
    if (listening.target.reusePort === true && listening.source === undefined) await checkFree(listening);
    this.#addresses = [await this.#control!.listen()];
  }

  get addresses(): readonly AddressInfo[] {
    return this.#addresses;
  }

  drained(revision: number): Promise<void> {
    return this.#control!.drained(revision);
  }

  forget(revision: number): Promise<void> {
    return this.#control!.forget(revision);
  }

  attach(revision: number, shard: number, [port]: readonly MessagePort[]): void {
    this.#control!.attach(revision, shard, port);
  }

  takeBack(revision: number, shard: number): undefined {
    this.#control!.takeBack(revision, shard);
  }

  tell(news: HttpNews): void {
    this.#control?.hear(news);
  }

  setUpgrades(upgrades: Upgrades | undefined): void {
    this.#control!.setUpgrades(upgrades);
  }

  drain(): Promise<void> {
    return this.#control!.drain();
  }

  async end(): Promise<void> {}

  stats(): HttpStats[] {
    return [this.#control!.stats()];
  }

  counts(): SharedArrayBuffer[] {
    const { counts } = this.#options;
    if (counts === undefined) return [];
    this.#control?.publish();
    return [counts];
  }
}
