import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { MessagePort } from 'node:worker_threads';
import type { MemoryMap } from '../contract/memory-map.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { checkCertificate } from '../options/listening.js';
import type { Logger } from '../options/logger.js';
import { type TrustProxyRule, trustedProxies } from '../options/trust-proxy.js';
import type { Reason } from './answers.js';
import { AccessLog } from './completion/access-log.js';
import type { HttpFunctions } from './http-module.js';
import { type CountedRoutes, HttpThread, type HttpThreadOptions } from './http-thread.js';
import type { HttpNews, ShardNews } from './news.js';
import { Readiness } from './readiness.js';
import type { Revision } from './revision.js';
import type { Scheduler } from './scheduler.js';
import { Shards, type ShardsOptions } from './shards.js';
import type { Upgrades } from './socket/upgrade.js';

/** Plain data, so that it can be passed to another thread. */
export interface HttpControlOptions extends Omit<HttpThreadOptions, 'priority'>, ShardsOptions {
  accessLog: boolean;
  /** Which proxies are trusted. */
  trustProxy: TrustProxyRule;
}

/** What can fail on an HTTP thread without ending it. */
export type HttpFailure = 'connection' | 'accept' | 'upgrade' | 'priority';

export interface HttpEvents {
  /** A shard has started or stopped rejecting requests because queued ones have waited too long. */
  onShedding(revision: number, shard: number, shedding: boolean): void;
  onFailure(what: HttpFailure, error: unknown): void;
  /** The messages that the control thread has sent so far must be read now. */
  onUnknown(): void;
  /** Receives the lines of the access log. */
  log: Pick<Logger, 'info'>;
}

/** Current figures of one HTTP thread. Arrays are by shard, `waiting` by limited route. */
export interface HttpStats {
  connections: number;
  connectionsRefused: number;
  /** Requests submitted to shards and not given back. */
  owed: number;
  freeSlots: number;
  lostWakeUps: number;
  pauses: number;
  refused: Partial<Record<Reason, number>>;
  outstanding: number[];
  queued: number[];
  /** How long the oldest request has waited in each shard's rings, in microseconds. */
  waitsUs: number[];
  waiting: number[];
}

/** How often an HTTP thread that is a worker publishes figures for metrics. */
const PUBLISH_MS = 500;
/** How often it is checked whether a revision is still in use. */
const LOOK_MS = 10;

/** An HTTP thread as the control thread drives it: called directly if there is only one, otherwise by messages. HTTP thread. */
export class HttpControl {
  readonly #options: HttpControlOptions;
  readonly #functions: HttpFunctions;
  readonly #events: HttpEvents;
  /** Those whose shards have threads, by number. */
  readonly #revisions = new Map<number, Revision>();
  /** The one that gets new requests. */
  #current: Revision | undefined;
  #thread: HttpThread | undefined;
  #isLeaving = false;
  #isDraining = false;
  /** Nothing happens any more. */
  #isOver = false;
  #publishing: NodeJS.Timeout | undefined;

  constructor(options: HttpControlOptions, functions: HttpFunctions, events: HttpEvents) {
    this.#options = options;
    this.#functions = functions;
    this.#events = events;
  }

  // ── revisions ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Prepares for messages about the shards of a revision. */
  open(number: number, core: CoreMemory, map: MemoryMap): void {
    const { groups, health } = this.#options;
    const shards = new Shards(core, map, this.#options);
    const readiness = new Readiness(groups, shards.load.ready, health?.shedGraceMs ?? 0);
    readiness.isLeaving = this.#isLeaving;
    this.#revisions.set(number, { number, shards, readiness, scheduler: undefined });
  }

  /**
   * Prepares for requests of an open revision. From then on this thread owns its slots.
   * @param routes on which the shards agree
   * @param unsettled slots whose requests a shard has started for the previous thread with this number
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE; the first time also OPTION_INVALID, TLS_INVALID
   */
  prepare(number: number, routes: CountedRoutes, unsettled: readonly number[] = []): void {
    const revision = this.#revisions.get(number)!;
    this.#thread ??= this.#createThread(revision);
    const scheduler = this.#thread.prepare(revision, routes);
    revision.shards.leaveOut(unsettled);
    for (const slot of unsettled) scheduler.adopt(slot);
  }

  /** @param first its memory keeps the head index of the parsers */
  #createThread(first: Revision): HttpThread {
    const { accessLog, requestId, trustProxy, listening } = this.#options;
    const { priority, upgrades, tls } = this.#functions;
    checkCallbacks(listening.tls, tls);
    const log = accessLog ? new AccessLog(this.#events.log, requestId, trustedProxies(trustProxy)) : undefined;
    const options: HttpThreadOptions = {
      ...this.#options,
      priority,
      listening: { ...listening, tls: listening.tls && { ...tls, ...listening.tls } },
    };
    const { onFailure } = this.#events;
    const thread = new HttpThread(first.shards, options, log, {
      onConnectionFailure: (error) => onFailure('connection', error),
      onUpgradeError: (error) => onFailure('upgrade', error),
      onAcceptError: (error) => onFailure('accept', error),
      onPriorityFailure: (error) => onFailure('priority', error),
      onShedding: this.#events.onShedding,
      onUnknown: this.#events.onUnknown,
    });
    thread.upgrades = upgrades;
    return thread;
  }

  /** Passes new requests to the shards of a prepared revision; those that were admitted stay with theirs. */
  switchTo(number: number): void {
    const revision = this.#revisions.get(number)!;
    if (revision === this.#current) return;
    this.#thread!.switchTo(revision.scheduler!);
    this.#current = revision;
  }

  /** Resolves when all requests of the revision have got their responses from shards. */
  drained(number: number): Promise<void> {
    return this.#until(() => this.#revisions.get(number)?.scheduler?.isDrained !== false);
  }

  /** All threads of the revision's shards have ended. Resolves when no response refers to its memory. */
  forget(number: number): Promise<void> {
    const { shards, scheduler } = this.#revisions.get(number)!;
    this.#revisions.delete(number);
    if (scheduler !== undefined) this.#thread!.forget(scheduler);
    shards.close();
    return this.#until(() => scheduler === undefined || shards.slots.every(({ free, total }) => free === total));
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#isOver && !condition()) return;
        clearInterval(timer);
        resolve();
      };
      const timer = setInterval(look, LOOK_MS).unref();
      look();
    });
  }

  /**
   * Starts accepting connections.
   * @param port instead of the port in the options
   * @returns the listening address
   * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
   */
  async listen(port?: number): Promise<AddressInfo> {
    const thread = this.#thread!;
    // The thread that calls `serve()` publishes when it reads.
    if (this.#options.counts !== undefined && this.#current!.shards.map.httpThreads > 1) {
      this.publish();
      this.#publishing = setInterval(() => this.publish(), PUBLISH_MS).unref();
    }
    await thread.listen(port);
    return thread.address();
  }

  setUpgrades(upgrades: Upgrades | undefined): void {
    this.#thread!.upgrades = upgrades;
  }

  // ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A thread is about to run `shard` of a revision; `port` is this thread's end of the channel to it. */
  attach(revision: number, shard: number, port: MessagePort): void {
    const { shards, scheduler } = this.#revisions.get(revision)!;
    shards.attach(shard, port);
    scheduler?.onShardAttached();
  }

  /** The thread of `shard` of a revision has exited: takes back the slots of this thread that it owned. */
  takeBack(revision: number, shard: number): void {
    const { shards, scheduler } = this.#revisions.get(revision)!;
    shards.detach(shard);
    scheduler?.onShardLost(shard);
  }

  // ── news ────────────────────────────────────────────────────────────────────────────────────────────────────────

  hear(news: HttpNews): void {
    const thread = this.#thread;
    switch (news.type) {
      case 'shard': {
        const revision = this.#revisions.get(news.revision);
        return revision && this.#hearOf(revision, news.about);
      }
      case 'secureContext':
        return thread?.setSecureContext(news.options);
      case 'leave':
        this.#becomeLeaving();
        return thread?.leave(news.ms);
      case 'stop':
        this.#isDraining = true;
        this.#isOver = true;
        clearInterval(this.#publishing);
        this.publish();
        return thread?.stop();
      case 'destroy':
        this.#becomeLeaving();
        this.#isDraining = true;
        this.#isOver = true;
        return thread?.destroy();
    }
  }

  #becomeLeaving(): void {
    this.#isLeaving = true;
    for (const { readiness } of this.#revisions.values()) readiness.isLeaving = true;
  }

  #hearOf({ shards, readiness, scheduler }: Revision, news: ShardNews): void {
    readiness.hear(news);
    switch (news.type) {
      case 'state':
        return this.#setState(shards, scheduler, news);
      case 'missing':
        shards.load.replaced[news.shard] = 0;
        return scheduler?.onShardMissing(news.shard);
      case 'unstoppable':
        return scheduler?.onShardUnstoppable(news.shard);
      case 'permits':
        return scheduler?.permitsChanged();
    }
  }

  #setState(
    { load }: Shards,
    scheduler: Scheduler | undefined,
    { shard, state, isReplaced, seat }: Extract<ShardNews, { type: 'state' }>,
  ): void {
    load.seats[shard] = seat;
    load.ready[shard] = state === 'ready' ? 1 : 0;
    load.replaced[shard] = isReplaced ? 1 : 0;
    if (state === 'ready') scheduler?.onShardReady(shard);
    if ((state === 'stuck' || state === 'draining') && !this.#isDraining) scheduler?.onShardUnavailable(shard, state);
  }

  /** As `HttpThread.drain()`. */
  drain(): Promise<void> {
    this.#becomeLeaving();
    this.#isDraining = true;
    return this.#thread?.drain() ?? Promise.resolve();
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Publishes the figures for metrics that are not counted in shared memory, if metrics are enabled. */
  publish(): void {
    const thread = this.#thread;
    if (thread?.counts === undefined || this.#current === undefined) return;
    const freeSlots = this.#current.shards.slots.reduce((sum, { free }) => sum + free, 0);
    thread.counts.publish({ ...thread.sums, connectionsRefused: thread.connectionsRefused, freeSlots });
  }

  stats(): HttpStats {
    const { map, slots, side } = this.#current!.shards;
    const { scheduler, connections, connectionsRefused, outstanding, sums } = this.#thread!;
    const ofShards = <Of>(look: (shard: number) => Of) => Array.from({ length: map.shards }, (_, shard) => look(shard));
    return {
      connections,
      connectionsRefused,
      owed: outstanding,
      freeSlots: slots.reduce((sum, { free }) => sum + free, 0),
      ...sums,
      outstanding: [...side.figures.outstanding],
      queued: ofShards((shard) => scheduler.queued(shard)),
      waitsUs: scheduler.waits(),
      waiting: scheduler.waiting(),
    };
  }
}

/** @throws LoopShardError OPTION_INVALID */
function checkCallbacks(options: TlsOptions | undefined, tls: HttpFunctions['tls']): void {
  if (tls !== undefined && options === undefined) {
    throw new LoopShardError(
      'OPTION_INVALID',
      'The `httpModule` exports `tls`, but the option `tls` is not set. Set it, or remove the export.',
    );
  }
  if (options !== undefined) checkCertificate({ ...tls, ...options });
}
