import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { ActivityReader, type ShardActivity } from '../contract/activity.js';
import { type ExtentStats, Extents, shardOwned } from '../contract/extents.js';
import { longestWaitUs } from '../contract/http-figures.js';
import { HttpGenerations } from '../contract/http-generations.js';
import type { MemoryMap } from '../contract/memory-map.js';
import type { CheckReport, FailureReport, RequestName, RouteTable } from '../contract/messages.js';
import { readHeap } from '../contract/route-times.js';
import { ShardWords } from '../contract/shard-words.js';
import { summarize } from '../contract/times.js';
import { Clock, elapsedUs } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { type Group, mostShards, type Permits } from '../options/scheduling.js';
import { takeHeapSnapshot } from './heap-snapshot.js';
import { Heartbeat } from './heartbeat.js';
import { LoadLimits } from './load-limits.js';
import { type Scaled, Scaler } from './scaler.js';
import {
  type LifeEvents,
  type LifeOptions,
  type LifeSettings,
  ShardLife,
  type ShardState,
  type ThreadEnd,
} from './shard-life.js';
import { ShardThread, type StartThread, type ThreadOfShard, type ThreadOptions } from './shard-thread.js';
import { Stalls } from './stalls.js';
import { recordProfile } from './thread-profile.js';
import { Turnover } from './turnover.js';

export interface ShardPoolOptions
  extends Omit<LifeSettings, 'shard' | 'group' | 'core' | 'adaptive' | 'nice' | 'graceMs' | 'maxHeapMb'>,
    Pick<LifeOptions, 'startTimeoutMs' | 'maxRestarts'>,
    ThreadOptions {
  groups: readonly Group[];
  /** By group. */
  shardNice: readonly number[];
  permits: Permits;
  /** Handlers that a shard starts before it is replaced; 0 disables the limit. */
  maxRequestsPerShard: number;
  /** Heap of a shard in MiB before it is replaced; 0 disables the limit. */
  maxShardHeapMb: number;
  /** How long a group may have no free permit and no settled handler before it is stalled; 0 disables the check. */
  stalledAfterMs: number;
  /** Whether shards count times by route. */
  metrics: boolean;
  /** How long a shard may take to end in order when it is replaced. */
  closeTimeoutMs: number;
  /** Starts a shard if it is not to run on a worker thread. */
  startThread: StartThread | undefined;
}

export interface ShardPoolEvents {
  /** A thread of the shard starts: `requests` are the HTTP threads' ends of its channels, one per HTTP thread. */
  onShardSpawned(shard: number, requests: readonly MessagePort[]): void;
  /**
   * The shard's thread has ended: its requests need responses, and its slots are to be taken back.
   * @param nextMs delay before the next thread is started; undefined if none is
   * @returns resolves when that is done; undefined if it is done already
   */
  onShardEnded(shard: number, end: ThreadEnd, nextMs: number | undefined): Promise<void> | undefined;
  /** Native code keeps the terminated thread of the shard from ending. */
  onShardUnstoppable(shard: number): void;
  /** No thread could replace the ended one yet, so requests must not wait for it any longer. */
  onShardMissing(shard: number): void;
  /** Another thread is running the shard. */
  onShardRestarted(shard: number): void;
  /**
   * @param isReplaced requests may wait for another thread of the shard
   * @param seat on which the shard's share of the keys depends
   */
  onShardState(shard: number, state: ShardState, isReplaced: boolean, seat: number): void;
  /** Another shard starts beside this one, and will replace it. */
  onReplacing(shard: number, by: number, why: ReplaceReason): void;
  /** It could not start: the shard continues. */
  onReplaceFailed(shard: number, error: LoopShardError): void;
  /** The number of shards of the group has changed, because its load has. */
  onScaled(group: Group, scaled: Scaled): void;
  /** A shard that was to be added did not start. */
  onGrowFailed(group: Group, error: LoopShardError): void;
  /**
   * The set of the app's health checks that fail on the shard has changed.
   * @param failed their names
   * @param change the result that has changed; undefined if the thread has ended
   */
  onChecks(shard: number, failed: readonly string[], change: CheckReport | undefined): void;
  /** A stuck shard is terminated. */
  onKill(shard: number): void;
  /** The shard streams as many responses as it may. */
  onStreamsFull(shard: number): void;
  /** The group has no free permit and no handler settles, or this has ended. */
  onStalled(group: Group, stalled: boolean): void;
  onFailure(shard: number, report: FailureReport): void;
  /** The app listens for a signal, which does not arrive on a shard. */
  onSignalListener(signal: string): void;
  /** The app has asked for a port, which it does not get on shards. */
  onListen(port: number): void;
}

/** Why a shard is replaced by one that starts beside it. */
export type ReplaceReason = 'asked' | 'requests' | 'heap' | 'abandoned' | 'checks' | 'native code';

/** How long after a failed replacement the next one is attempted. */
const REPLACE_RETRY_MS = 10_000;

const US_PER_MS = 1_000;

/** How long every shard must have been ready before the server is: failures shortly after the import happen within it. */
const SETTLE_MS = 100;

/** The threads of all shards and their lives. Control thread only. */
export class ShardPool {
  readonly #words: ShardWords;
  readonly #clock: Clock;
  readonly #activity: ActivityReader;
  readonly #extents: Extents;
  readonly #generations: HttpGenerations;
  readonly #permits: Int32Array;
  readonly #shards: ShardLife[];
  readonly #heartbeats: readonly Heartbeat[];
  readonly #stalls: Stalls;
  readonly #limits: LoadLimits;
  readonly #turnover: Turnover;
  readonly #scaler: Scaler;
  readonly #groups: readonly Group[];
  /** Of shards that are added, by group. */
  readonly #groupPermits = new Map<Group, number>();
  readonly #isAdaptive: boolean;
  readonly #isLocal: boolean;
  readonly #reasons = new WeakMap<ShardLife, ReplaceReason>();
  readonly #events: ShardPoolEvents;
  readonly #settleMs: number;
  /** Set until the server has started: the end of a shard fails the start. */
  #failStart: ((error: LoopShardError) => void) | undefined;

  constructor(core: CoreMemory, map: MemoryMap, options: ShardPoolOptions, events: ShardPoolEvents) {
    const { groups, permits } = options;
    const { shards } = map;
    this.#words = new ShardWords(core, map);
    this.#clock = new Clock(options.epochMs);
    this.#activity = new ActivityReader(core, map);
    // The control thread takes no extents: it only frees those of ended shards.
    this.#extents = new Extents(core, map, shardOwned(shards));
    this.#generations = new HttpGenerations(core, map);
    this.#permits = new Int32Array(shards).fill(permits.initial);
    this.#groups = groups;
    for (const group of groups) this.#groupPermits.set(group, permits.initial);
    this.#isAdaptive = permits.adaptive !== undefined;
    this.#isLocal = options.startThread !== undefined;
    this.#events = events;
    this.#settleMs = this.#isLocal ? 0 : SETTLE_MS;
    const settings = {
      core: core.share(),
      epochMs: options.epochMs,
      module: options.module,
      batch: options.batch,
      park: options.park,
      steal: options.steal,
      adaptive: permits.adaptive,
      onUncaught: options.onUncaught,
      graceMs: options.closeTimeoutMs,
      maxResponseBytes: options.maxResponseBytes,
      maxStreams: options.maxStreams,
      maxHeapMb: options.maxShardHeapMb,
      compress: options.compress,
      requestId: options.requestId,
      trustProxy: options.trustProxy,
      keepAliveLines: options.keepAliveLines,
      preload: options.preload,
      traces: options.traces,
      serverTiming: options.serverTiming,
    };
    const { startTimeoutMs, maxRestarts, startThread, metrics } = options;
    const lifeOptions: LifeOptions = {
      startThread: startThread ?? ((start, threadEvents) => new ShardThread(start, options, threadEvents)),
      startTimeoutMs,
      maxRestarts,
      isSyncParked: options.park === 'sync',
      metrics,
    };
    this.#shards = groups.flatMap((group, index) =>
      Array.from({ length: group.count }, (_, i) => {
        const shard = group.first + i;
        const { name, first, count, most } = group;
        const ofShard: LifeSettings = {
          ...settings,
          shard,
          group: { name, first, count, most },
          nice: options.shardNice[index],
          maxAbandoned: maxAbandonedOf(options.maxAbandoned, Math.floor(map.slots / mostShards(groups))),
        };
        return new ShardLife(ofShard, group, lifeOptions, this.#lifeEvents);
      }),
    );
    for (const { number } of this.#shards) this.#words.setParked(number, true);
    this.#heartbeats = groups.map(
      (group) => new Heartbeat(this.#of(group), group, this.#words, { onKill: (shard) => this.#kill(shard) }),
    );
    const isReady = (shard: number) => this.#shards[shard].state === 'ready';
    this.#stalls = new Stalls(groups, this.#words, isReady, options.stalledAfterMs, events.onStalled);
    this.#turnover = new Turnover(this.#shards, { onStarting: (life, old) => this.#onStarting(life, old) });
    // A shard in the calling thread is never replaced.
    const maxRequests = startThread === undefined ? options.maxRequestsPerShard : 0;
    this.#limits = new LoadLimits(this.#words, maxRequests, (life) => void this.#replace(life, 'requests'));
    this.#scaler = new Scaler(groups, this.#turnover, {
      demand: (shard) => this.#demand(core, map, shard),
      onScaled: events.onScaled,
      onGrowFailed: events.onGrowFailed,
    });
  }

  #of({ first, count }: Group): ShardLife[] {
    return this.#shards.slice(first, first + count);
  }

  get #lifeEvents(): LifeEvents {
    return {
      onState: (life, state) => this.#onState(life, state),
      onEnded: (life, end, nextMs) => this.#onEnded(life, end, nextMs),
      onSpawn: ({ number }, requests) => {
        this.#words.setParked(number, false);
        this.#events.onShardSpawned(number, requests);
      },
      onUnstoppable: (life) => this.#onUnstoppable(life),
      onMissing: ({ number }) => this.#events.onShardMissing(number),
      onFailure: ({ number }, report) => this.#events.onFailure(number, report),
      onSignalListener: (_life, signal) => this.#events.onSignalListener(signal),
      onListen: (port) => this.#events.onListen(port),
      onCrowded: (life) => void this.#replace(life, 'abandoned', () => this.#isCrowded(life)),
      onHeapFull: (life) => void this.#replace(life, 'heap'),
      onChecks: ({ number, failedChecks }, change) => this.#events.onChecks(number, [...failedChecks], change),
      onUnhealthy: (life, check) => this.#onUnhealthy(life, check),
      onStreamsFull: (life) => this.#events.onStreamsFull(life.number),
      generations: () => this.#generations.all,
      wake: ({ number }) => void this.#words.wake(number),
    };
  }

  // ── lives ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts every shard: the first one alone, so that work that the module does only once, such as creating a table, is done before the
   * others load it in parallel. Resolves when all have been ready for a moment.
   * @returns the route table, which is the same on all of them
   * @throws LoopShardError reported by the first shard that fails, ROUTES_DIFFER, SHARD_FAILED
   */
  async start(counts: readonly number[] = this.#groups.map(({ least }) => least)): Promise<RouteTable> {
    const failure = new Promise<never>((_resolve, reject) => {
      this.#failStart = reject;
    });
    const [first, ...others] = this.#groups.flatMap((group, index) => this.#of(group).slice(0, counts[index]));
    const table = await Promise.race([failure, first.start(undefined)]);
    await Promise.race([failure, Promise.all(others.map((shard) => shard.start(table)))]);
    await Promise.race([failure, sleep(this.#settleMs)]);
    this.#failStart = undefined;
    this.#turnover.table = table;
    this.#scaler.start();
    return table;
  }

  #onState(life: ShardLife, state: ShardState): void {
    const { number, isRestarted, cause, isReplaced, seat } = life;
    this.#events.onShardState(number, state, isReplaced, seat);
    if (cause !== undefined) this.#failStart?.(cause);
    if (state !== 'ready') return;
    this.#limits.begin(life);
    if (isRestarted) this.#events.onShardRestarted(number);
  }

  // ── replacements ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Replaces a shard by another one that starts beside it. No request is lost.
   * @returns the number of the new shard, when it gets the requests
   * @throws LoopShardError as `Turnover.replace`
   */
  async restart(shard: number): Promise<number> {
    const life = this.#shards[shard];
    this.#reasons.set(life, 'asked');
    const next = await this.#turnover.replace(life);
    if (next === undefined) throw new LoopShardError('NOT_RUNNING', `Shard ${shard} is ending already.`);
    return next.number;
  }

  /** Replaces a shard as soon as its group has a free number; again and again until that succeeds or is not needed any more. */
  async #replace(life: ShardLife, why: ReplaceReason, isNeeded: () => boolean = () => true): Promise<void> {
    const { threads } = life;
    // A thread that has ended meanwhile has been replaced.
    const isStillNeeded = () => life.threads === threads && isNeeded();
    this.#reasons.set(life, why);
    try {
      await this.#turnover.replace(life, isStillNeeded);
    } catch (error) {
      if ((error as LoopShardError).code === 'NOT_RUNNING') return;
      this.#events.onReplaceFailed(life.number, error as LoopShardError);
      setTimeout(() => {
        if (isStillNeeded()) void this.#replace(life, why, isNeeded);
      }, REPLACE_RETRY_MS).unref();
    }
  }

  /** The calling thread cannot unload the app. */
  #onUnhealthy(life: ShardLife, check: string): void {
    if (!this.#isLocal) void this.#replace(life, 'checks', () => life.failedChecks.has(check));
  }

  #onStarting(life: ShardLife, old: ShardLife | undefined): void {
    const permits = old === undefined ? this.#groupPermits.get(life.group)! : this.#permits[old.number];
    this.#permits[life.number] = permits;
    this.#words.setPermits(life.number, permits);
    if (old !== undefined) this.#events.onReplacing(old.number, life.number, this.#reasons.get(old)!);
  }

  /** How many of its handlers are still running after their requests got 504. */
  abandoned(shard: number): number {
    return this.#words.counters(shard).abandoned;
  }

  /** Names of the app's health checks that fail on the shard, in alphabetical order. */
  failedChecks(shard: number): string[] {
    return [...this.#shards[shard].failedChecks].sort();
  }

  #isCrowded({ number, maxAbandoned }: ShardLife): boolean {
    return this.abandoned(number) > maxAbandoned;
  }

  #kill(shard: number): void {
    const life = this.#shards[shard];
    const { stuckAfterMs, killStuckAfterMs } = life.group;
    this.#events.onKill(shard);
    life.kill(
      new LoopShardError(
        'SHARD_FAILED',
        `Shard ${shard} was terminated: its event loop was blocked for more than ${stuckAfterMs + killStuckAfterMs} ms (\`recovery.killStuckAfterMs\`).`,
      ),
    );
  }

  /** Another shard starts beside one that native code keeps from ending. */
  #onUnstoppable(life: ShardLife): void {
    this.#events.onShardUnstoppable(life.number);
    if (life.state === 'stuck') void this.#replace(life, 'native code');
  }

  /** Takes back what the ended thread owned. */
  #onEnded(life: ShardLife, end: ThreadEnd, nextMs: number | undefined): Promise<void> | undefined {
    const { number } = life;
    this.#failStart?.(end.error);
    this.#turnover.onEnded(life, end.error);
    const takenBack = this.#events.onShardEnded(number, end, nextMs);
    const reset = () => {
      this.#words.reset(number, this.#permits[number]);
      if (life.isLeaving) this.#words.setParked(number, true);
      // Last: completed slots have taken over their extents by then.
      this.#extents.reclaim(shardOwned(number));
    };
    if (takenBack !== undefined) return takenBack.then(reset);
    reset();
    return undefined;
  }

  /** Tells the shards that the clients of an ended HTTP thread have disconnected. */
  tellGone(http: number, requests: readonly RequestName[]): void {
    for (const life of this.#shards) life.send({ type: 'gone', http, requests });
  }

  /**
   * Opens channels to the thread that replaces an ended HTTP thread. In this order: a shard that sees the next generation already has the
   * message about it.
   * @returns that thread's ends of the channels to shards that have a thread
   */
  connectHttp(http: number): (MessagePort | undefined)[] {
    const generation = this.#generations.of(http) + 1;
    const ports = this.#shards.map((life) => life.connectHttp(http, generation));
    this.#generations.next(http);
    return ports;
  }

  // ── groups, circuits, permits ───────────────────────────────────────────────────────────────────────────────────

  /** By group: the permits of its shards, without those that leave or only replace others. Shards that are not ready have no free ones. */
  permitsByGroup(): { shard: number; available: number; limit: number }[][] {
    return this.#groups.map((group) =>
      this.#turnover.members(group).map(({ number, state }) => {
        const { available, limit } = this.#words.permits(number);
        return { shard: number, available: state === 'ready' ? available : 0, limit };
      }),
    );
  }

  /** The numbers of shards that run, or are about to. */
  get running(): number[] {
    return this.#shards.filter(({ isIdle }) => !isIdle).map(({ number }) => number);
  }

  /** How many shards have a thread. */
  get threads(): number {
    return this.#shards.filter(({ state }) => state !== 'ended').length;
  }

  /** How many shards each group has, without those that leave or only replace others. */
  get counts(): number[] {
    return this.#groups.map((group) => this.#turnover.members(group).length);
  }

  /** The number of shards of each group, its bounds, and how often it has changed. */
  groupFigures() {
    return this.#scaler.figures();
  }

  /** More shards have more permits; but more of adaptive ones would be more than the limiter allows, so those do not count. */
  #demand(core: CoreMemory, map: MemoryMap, shard: number): { permitsTaken: number; waitMs: number } {
    if (this.#isAdaptive) return { permitsTaken: 0, waitMs: 0 };
    const { available, limit } = this.#words.permits(shard);
    return { permitsTaken: (limit - available) / limit, waitMs: longestWaitUs(core, map, shard) / US_PER_MS };
  }

  /** The number that the shard has had if it, and those before it, were never replaced. */
  seatOf(shard: number): number {
    return this.#shards[shard].seat;
  }

  groupOf(shard: number): Group {
    return this.#shards[shard].group;
  }

  /** Whether the group has had no free permit and no settled handler for `stalledAfterMs`. */
  isStalled(group: Group): boolean {
    return this.#stalls.has(group);
  }

  /** Whether the threads of `shard` have ended so often that only one every 10 s is started. */
  isCircuitOpen(shard: number): boolean {
    return this.#shards[shard].isCircuitOpen;
  }

  /** Changes how many handlers may be in flight on `shard`; running handlers are not affected. */
  setPermits(shard: number, permits: number): void {
    this.#permits[shard] = permits;
    this.#words.setPermits(shard, permits);
    this.#shards[shard].send({ type: 'permits' });
  }

  /** The same for all shards of a group, also those that are added later. */
  setGroupPermits(group: Group, permits: number): void {
    this.#groupPermits.set(group, permits);
    for (const { number } of this.#of(group)) this.setPermits(number, permits);
  }

  // ── for people who operate the server ───────────────────────────────────────────────────────────────────────────

  /** @throws LoopShardError SHARD_NOT_READY, PROFILE_FAILED */
  async cpuProfile(shard: number, ms: number, stop: AbortSignal): Promise<string> {
    return recordProfile(this.#thread(shard).threadId, ms, stop);
  }

  /** @throws LoopShardError SHARD_NOT_READY */
  async heapSnapshot(shard: number): Promise<Readable> {
    this.#thread(shard);
    return takeHeapSnapshot(this.#shards[shard]);
  }

  #thread(shard: number): ThreadOfShard {
    const { thread, state } = this.#shards[shard];
    if (thread !== undefined) return thread;
    throw new LoopShardError('SHARD_NOT_READY', `Shard ${shard} has no thread: it is ${state}.`);
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts no further threads. */
  retire(): void {
    this.#endChanges();
    for (const shard of this.#shards) shard.retire();
  }

  /** Tells shards that the server is closing, so that endless streams end. */
  drain(): void {
    this.#endChanges();
    for (const shard of this.#shards) shard.send({ type: 'drain' });
  }

  /**
   * Tells the shards to finish what they have started and end; those that have not ended at the deadline are terminated.
   * @param deadline by `performance.now()`
   * @returns the shards whose threads have still not ended, because they run native code
   */
  close(deadline: number): Promise<number[]> {
    return this.#end((shard) => shard.close(deadline));
  }

  /** Terminates all threads. Returns the shards whose threads run native code and have not ended. */
  destroy(): Promise<number[]> {
    return this.#end((shard) => shard.terminate());
  }

  /** Replaces and adds no further shards. */
  #endChanges(): void {
    this.#limits.stop();
    this.#scaler.stop();
    this.#turnover.stop();
  }

  async #end(end: (shard: ShardLife) => Promise<boolean>): Promise<number[]> {
    this.#failStart = undefined;
    for (const heartbeat of this.#heartbeats) heartbeat.stop();
    this.#endChanges();
    this.#stalls.stop();
    const lives = this.#shards.filter(({ isIdle }) => !isIdle);
    const ended = await Promise.all(lives.map(end));
    return lives.flatMap(({ number }, index) => (ended[index] ? [] : [number]));
  }

  /** Resolves when no shard has a thread, after `close` or `destroy`. */
  async ended(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.ended()));
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  extents(): ExtentStats[] {
    return this.#extents.stats();
  }

  /** The memory in which each shard counts times by route, if metrics are enabled. */
  get times(): SharedArrayBuffer[] {
    return this.#shards.flatMap(({ times }) => times ?? []);
  }

  /** The current figures of each shard that runs, without those that take long to compute. */
  figures() {
    const running = this.#shards.filter(({ isIdle }) => !isIdle);
    return running.map((shard) => {
      const { number } = shard;
      return {
        shard: number,
        group: shard.group.name,
        state: shard.state,
        restarts: shard.restarts,
        isCircuitOpen: shard.isCircuitOpen,
        stalled: this.isStalled(shard.group),
        failedChecks: [...shard.failedChecks],
        permits: this.#words.permits(number),
        ...this.#words.counters(number),
      };
    });
  }

  /** The event loop and the heap of each shard, what occupies the former, and from which shards it has stolen. */
  threadFigures() {
    return this.#shards.map(({ number, thread, times }) => ({
      loop: thread?.loopTimes(),
      heap: times && readHeap(times),
      running: this.runningRoute(number),
      stolen: this.#words.stolen(number),
    }));
  }

  /** The number of the route whose handler occupies the event loop, and for how long, in microseconds; undefined if none does. */
  runningRoute(shard: number): { route: number; us: number } | undefined {
    const running = this.#words.running(shard);
    if (running === undefined) return undefined;
    return { route: running.route, us: Math.max(0, elapsedUs(this.#clock.nowUs(), running.calledAt)) };
  }

  /** What the requests of each shard are doing, by its number. */
  activity(): ShardActivity[] {
    return this.#activity.read(this.#clock.nowUs());
  }

  stats() {
    return this.figures().map((figures) => {
      const shard = this.#shards[figures.shard];
      return {
        ...figures,
        batchSize: summarize(shard.histograms?.batchSize),
        queueTime: summarize(shard.histograms?.queueTime),
        handlerTime: summarize(shard.histograms?.handlerTime),
      };
    });
  }
}

/** Limits the slots that abandoned handlers may keep to half of them. */
function maxAbandonedOf(maxAbandoned: number, slots: number): number {
  return Math.min(maxAbandoned, Math.max(1, Math.floor(slots / 2)));
}
