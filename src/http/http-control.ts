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
/** How often it is checked whether the requests before a reload have got their responses. */
const DRAIN_LOOK_MS = 10;

/** An HTTP thread as the control thread drives it: called directly if there is only one, otherwise by messages. HTTP thread. */
export class HttpControl {
  readonly #options: HttpControlOptions;
  readonly #functions: HttpFunctions;
  readonly #events: HttpEvents;
  /** Those whose shards have threads, by number. */
  readonly #revisions = new Map<number, Revision>();
  /** The one that gets new requests. */
  #current: Revision;
  #thread: HttpThread | undefined;
  #isLeaving = false;
  #isDraining = false;
  #publishing: NodeJS.Timeout | undefined;

  /** @param map of the first revision, number 0 */
  constructor(
    core: CoreMemory,
    map: MemoryMap,
    options: HttpControlOptions,
    functions: HttpFunctions,
    events: HttpEvents,
  ) {
    this.#options = options;
    this.#functions = functions;
    this.#events = events;
    this.#current = this.open(0, core, map);
  }

  /** Prepares for messages about the shards of a revision. */
  open(number: number, core: CoreMemory, map: MemoryMap): Revision {
    const { groups, health } = this.#options;
    const shards = new Shards(core, map, this.#options);
    const readiness = new Readiness(groups, shards.load.ready, health?.shedGraceMs ?? 0);
    readiness.isLeaving = this.#isLeaving;
    const revision: Revision = { number, shards, readiness, scheduler: undefined };
    this.#revisions.set(number, revision);
    return revision;
  }

  /**
   * Prepares for listening.
   * @param routes on which the shards agree
   * @param unsettled slots whose requests a shard has started for the previous thread with this number
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  begin(routes: CountedRoutes, unsettled: readonly number[] = []): void {
    const { accessLog, requestId, trustProxy, listening } = this.#options;
    const { priority, upgrades, tls } = this.#functions;
    const log = accessLog ? new AccessLog(this.#events.log, requestId, trustedProxies(trustProxy)) : undefined;
    const options: HttpThreadOptions = {
      ...this.#options,
      priority,
      listening: { ...listening, tls: listening.tls && { ...tls, ...listening.tls } },
    };
    checkCallbacks(listening.tls, tls);
    const { onFailure } = this.#events;
    this.#thread = new HttpThread(this.#current, routes, options, log, {
      onConnectionFailure: (error) => onFailure('connection', error),
      onUpgradeError: (error) => onFailure('upgrade', error),
      onAcceptError: (error) => onFailure('accept', error),
      onPriorityFailure: (error) => onFailure('priority', error),
      onShedding: this.#events.onShedding,
      onUnknown: this.#events.onUnknown,
    });
    this.#thread.upgrades = upgrades;
    this.#current.shards.leaveOut(unsettled);
    for (const slot of unsettled) this.#thread.scheduler.adopt(slot);
    // The thread that calls `serve()` publishes when it reads.
    if (options.counts !== undefined && this.#current.shards.map.httpThreads > 1) {
      this.publish();
      this.#publishing = setInterval(() => this.publish(), PUBLISH_MS).unref();
    }
  }

  // ── reload ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Passes new requests to the shards of an open revision.
   * @param routes on which they agree
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  switchTo(number: number, routes: CountedRoutes): void {
    const revision = this.#revisions.get(number)!;
    this.#thread!.switchTo(revision, routes);
    this.#current = revision;
  }

  /** Resolves when all requests of the revision have got their responses from shards. */
  drained(number: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#revisions.get(number)?.scheduler?.isDrained === false) return;
        clearInterval(timer);
        resolve();
      };
      const timer = setInterval(look, DRAIN_LOOK_MS).unref();
      look();
    });
  }

  /** All threads of the revision's shards have ended. */
  forget(number: number): void {
    const scheduler = this.#revisions.get(number)?.scheduler;
    if (scheduler !== undefined) this.#thread?.forget(scheduler);
    this.#revisions.delete(number);
  }

  /**
   * Starts accepting connections.
   * @param port instead of the port in the options
   * @returns the listening address
   * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
   */
  async listen(port?: number): Promise<AddressInfo> {
    const thread = this.#thread!;
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
      case 'shard':
        return this.#hearOf(this.#revisions.get(news.revision)!, news.about);
      case 'secureContext':
        return thread?.setSecureContext(news.options);
      case 'leave':
        this.#becomeLeaving();
        return thread?.leave(news.ms);
      case 'stop':
        this.#isDraining = true;
        clearInterval(this.#publishing);
        this.publish();
        return thread?.stop();
      case 'destroy':
        this.#becomeLeaving();
        this.#isDraining = true;
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
    if (thread?.counts === undefined) return;
    const freeSlots = this.#current.shards.slots.reduce((sum, { free }) => sum + free, 0);
    thread.counts.publish({ ...thread.sums, connectionsRefused: thread.connectionsRefused, freeSlots });
  }

  stats(): HttpStats {
    const { map, slots, side } = this.#current.shards;
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
