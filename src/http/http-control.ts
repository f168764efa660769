import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { MessagePort } from 'node:worker_threads';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import type { Logger } from '../options/options.js';
import type { Reason } from './answers.js';
import { AccessLog } from './completion/access-log.js';
import type { HttpFunctions } from './http-module.js';
import { HttpThread, type HttpThreadOptions } from './http-thread.js';
import { Readiness } from './readiness.js';
import { Shards, type ShardsOptions } from './shards.js';
import type { Upgrades } from './socket/upgrade.js';

/** Of plain data, so that it can be passed to another thread. */
export interface HttpControlOptions extends Omit<HttpThreadOptions, 'priority'>, ShardsOptions {
  accessLog: boolean;
  /** Name of the field that names requests, in lower case, if they are. */
  requestId: string | undefined;
}

/** What can fail on an HTTP thread without ending it. */
export type HttpFailure = 'connection' | 'accept' | 'upgrade' | 'priority';

export interface HttpEvents {
  /** A shard begins to refuse requests because others wait for too long, or ends to. */
  onShedding(shard: number, shedding: boolean): void;
  onFailure(what: HttpFailure, error: unknown): void;
  /** Takes the lines of the access log. */
  log: Pick<Logger, 'info'>;
}

/** A moment's figures of one HTTP thread. Arrays are by shard, `waiting` by limited route. */
export interface HttpStats {
  connections: number;
  connectionsRefused: number;
  /** Answers that shards owe. */
  owed: number;
  freeSlots: number;
  lostWakeUps: number;
  refused: Partial<Record<Reason, number>>;
  outstanding: number[];
  queued: number[];
  /** How long the oldest request has waited, in microseconds. */
  waitsUs: number[];
  waiting: number[];
}

/** What the control thread says to an HTTP thread: in the same thread if there is one, else by messages. HTTP thread. */
export class HttpControl {
  readonly #shards: Shards;
  readonly #options: HttpControlOptions;
  readonly #functions: HttpFunctions;
  readonly #events: HttpEvents;
  readonly #readiness: Readiness;
  #thread: HttpThread | undefined;
  #isDraining = false;

  /** @param unsettled slots whose requests a shard has started for a thread that has ended, and whose place this one takes */
  constructor(
    core: CoreMemory,
    map: MemoryMap,
    options: HttpControlOptions,
    functions: HttpFunctions,
    events: HttpEvents,
    unsettled: readonly number[] = [],
  ) {
    this.#shards = new Shards(core, map, options, unsettled);
    this.#options = options;
    this.#functions = functions;
    this.#events = events;
    this.#readiness = new Readiness(options.groups, this.#shards.load.ready, options.health?.shedGraceMs ?? 0);
  }

  /**
   * Makes ready to listen.
   * @param table what the shards agree on
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  begin(table: RouteTable): void {
    const { accessLog, requestId, listening } = this.#options;
    const { priority, upgrades, tls } = this.#functions;
    const log = accessLog ? new AccessLog(this.#events.log, requestId, this.#shards.side) : undefined;
    const options: HttpThreadOptions = {
      ...this.#options,
      priority,
      listening: { ...listening, tls: listening.tls && { ...listening.tls, ...tls } },
    };
    const { onFailure } = this.#events;
    this.#thread = new HttpThread(this.#shards, table, options, this.#readiness, log, {
      onConnectionFailure: (error) => onFailure('connection', error),
      onUpgradeError: (error) => onFailure('upgrade', error),
      onAcceptError: (error) => onFailure('accept', error),
      onPriorityFailure: (error) => onFailure('priority', error),
      onShedding: this.#events.onShedding,
    });
    this.#thread.upgrades = upgrades;
    for (const slot of this.#shards.unsettled) this.#thread.scheduler.adopt(slot);
  }

  /**
   * Accepts connections.
   * @param port in place of the port of the options
   * @returns where it listens
   * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
   */
  async listen(port?: number): Promise<AddressInfo> {
    const thread = this.#thread!;
    await thread.listen(port);
    return thread.address();
  }

  /** @param options checked; the server speaks TLS */
  setSecureContext(options: SecureContextOptions): void {
    this.#thread!.setSecureContext(options);
  }

  setUpgrades(upgrades: Upgrades | undefined): void {
    this.#thread!.upgrades = upgrades;
  }

  // ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A thread is about to run `shard`; `port` is this thread's end of the channel to it. */
  attach(shard: number, port: MessagePort): void {
    this.#shards.attach(shard, port);
  }

  /**
   * The shard is in another state of its life.
   * @param isReplaced requests may wait for another thread of the shard
   */
  setState(shard: number, state: string, isReplaced: boolean): void {
    const { load } = this.#shards;
    load.ready[shard] = state === 'ready' ? 1 : 0;
    load.replaced[shard] = isReplaced ? 1 : 0;
    if (state === 'ready') this.#thread?.scheduler.onShardReady(shard);
    if ((state === 'stuck' || state === 'draining') && !this.#isDraining) {
      this.#thread?.scheduler.onShardUnavailable(shard, state);
    }
  }

  /** The thread of `shard` has exited: takes back what it had of this thread's. */
  takeBack(shard: number): void {
    this.#shards.detach(shard);
    this.#thread?.scheduler.onShardLost(shard);
  }

  /** No other thread could take the ended one's place yet; requests that wait for one wait in vain for now. */
  onShardMissing(shard: number): void {
    this.#shards.load.replaced[shard] = 0;
    this.#thread?.scheduler.onShardMissing(shard);
  }

  /** The shard refuses requests of this or another HTTP thread because others wait for too long, or that is over. */
  setShedding(shard: number, shedding: boolean): void {
    this.#readiness.shedders.set(shard, shedding);
  }

  /** All permits of the group are taken and nothing settles, or that is over. */
  setStalled(group: string, stalled: boolean): void {
    this.#readiness.setStalled(group, stalled);
  }

  /** The limit of a route was changed: there may be permits for requests that wait. */
  onPermits(): void {
    this.#thread?.scheduler.permitsChanged();
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Has each connection end behind its next answer, over a part of `ms`. */
  leave(ms: number): void {
    this.#readiness.isLeaving = true;
    this.#thread?.leave(ms);
  }

  /** Accepts no more, and resolves when every request is answered and every connection closed. */
  drain(): Promise<void> {
    this.#readiness.isLeaving = true;
    this.#isDraining = true;
    return this.#thread?.drain() ?? Promise.resolve();
  }

  /** Nothing happens any more. After a drain. */
  stop(): void {
    this.#isDraining = true;
    this.#thread?.scheduler.stop();
  }

  /** Cuts off every connection. */
  destroy(): void {
    this.#readiness.isLeaving = true;
    this.#isDraining = true;
    this.#thread?.destroy();
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  stats(): HttpStats {
    const { map, slots, side } = this.#shards;
    const { scheduler, connections, connectionsRefused } = this.#thread!;
    const ofShards = <Of>(look: (shard: number) => Of) => Array.from({ length: map.shards }, (_, shard) => look(shard));
    return {
      connections,
      connectionsRefused,
      owed: scheduler.outstanding,
      freeSlots: slots.reduce((sum, { free }) => sum + free, 0),
      lostWakeUps: scheduler.lostWakeUps,
      refused: { ...scheduler.refusals.counts },
      outstanding: [...side.figures.outstanding],
      queued: ofShards((shard) => scheduler.queued(shard)),
      waitsUs: scheduler.waits(),
      waiting: scheduler.waiting(),
    };
  }
}
