import { setTimeout as sleep } from 'node:timers/promises';
import { FreeSlots } from '../contract/free-slots.js';
import { HttpSide } from '../contract/http-side.js';
import { createServerMemory, type MemoryMap } from '../contract/memory-map.js';
import type {
  BodyCredit,
  BodyPiece,
  FailureReport,
  RouteTable,
  StreamAnswer,
  StreamPiece,
} from '../contract/messages.js';
import { summarize } from '../contract/times.js';
import { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import type { LoopShardError } from '../errors.js';
import type { Group, Permits } from '../options/scheduling.js';
import { Heartbeat } from './heartbeat.js';
import { Load } from './load.js';
import {
  type LifeEvents,
  type LifeOptions,
  type LifeSettings,
  ShardLife,
  type ShardState,
  type ThreadEnd,
} from './shard-life.js';
import type { ThreadOptions } from './shard-thread.js';
import { Stalls } from './stalls.js';

export interface ShardPoolOptions
  extends Omit<LifeSettings, 'shard' | 'group' | 'core' | 'epochMs' | 'adaptive' | 'nice' | 'graceMs'>,
    Pick<LifeOptions, 'startTimeoutMs' | 'maxRestarts'>,
    ThreadOptions {
  groups: readonly Group[];
  /** Of each group. */
  shardNice: readonly number[];
  permits: Permits;
  /** Requests that may wait for each shard. */
  maxQueue: number;
  slots: number;
  slotBytes: number;
  extentBytes: number;
  /** How long a shard's event loop may not turn before the shard is stuck; 0 for any time. */
  stuckAfterMs: number;
  /** How long all permits of a group may be taken while nothing settles before the group is stalled; 0 for any time. */
  stalledAfterMs: number;
  /** What a shard gets to end in order when it is replaced. */
  closeTimeoutMs: number;
}

export interface ShardPoolEvents {
  /**
   * The shard's thread has ended: its requests are to be answered, its slots taken back.
   * @param nextMs when another thread is started; nothing if none is
   */
  onShardEnded(shard: number, end: ThreadEnd, nextMs: number | undefined): void;
  /** The shard takes no requests for now, and still has its thread: what waits for it is to go to others. */
  onShardUnavailable(shard: number, state: 'stuck' | 'draining'): void;
  /** No other thread could take the ended one's place yet; requests that wait for one wait in vain for now. */
  onShardMissing(shard: number): void;
  /** Another thread runs the shard. */
  onShardRestarted(shard: number): void;
  onShardState(shard: number, state: ShardState): void;
  /** The shard is being replaced, because so many of its handlers run on after their requests got 504. */
  onShardCrowded(shard: number, abandoned: number): void;
  /** All permits of the group are taken and nothing settles, or that is over. */
  onStalled(group: Group, stalled: boolean): void;
  onFailure(shard: number, report: FailureReport): void;
  /** The app listens for a signal, which does not arrive on a shard. */
  onSignalListener(signal: string): void;
  /** A part of a response that is streamed. */
  onStreamPiece(shard: number, piece: StreamPiece): void;
  /** A handler reads the body of its request. */
  onBodyCredit(shard: number, credit: BodyCredit): void;
}

/** How long every shard must have been ready before the server is: what fails soon after the import fails within it. */
const SETTLE_MS = 100;

/** All shards: their threads, and what each of them has in hand. HTTP thread only. */
export class ShardPool {
  readonly core: CoreMemory;
  readonly map: MemoryMap;
  readonly clock = new Clock();
  readonly groups: readonly Group[];
  readonly side: HttpSide;
  readonly load: Load;
  /** Of each group, in the order of `groups`. */
  readonly slots: readonly FreeSlots[];
  readonly #permits: Int32Array;
  readonly #shards: ShardLife[];
  readonly #heartbeat: Heartbeat;
  readonly #stalls: Stalls;
  /** Shards that are to be replaced as soon as none of their group is missing. */
  readonly #crowded = new Set<ShardLife>();
  readonly #events: ShardPoolEvents;
  /** Until the server has started: an end ends the start. */
  #failStart: ((error: LoopShardError) => void) | undefined;

  constructor(options: ShardPoolOptions, events: ShardPoolEvents) {
    const { groups, permits } = options;
    const shards = groups.reduce((sum, { count }) => sum + count, 0);
    const { core, map } = createServerMemory({ ...options, shards, permits: permits.initial });
    this.core = core;
    this.map = map;
    this.groups = groups;
    this.side = new HttpSide(core, map);
    this.slots = groups.map((group) => slotsOf(group, core, map));
    // Half of a queue is for those who are not low.
    this.load = new Load(this.side, shards, Math.ceil(options.maxQueue / 2));
    this.#permits = new Int32Array(shards).fill(permits.initial);
    this.#events = events;
    const settings = {
      core: core.share(),
      epochMs: this.clock.epochMs,
      module: options.module,
      batch: options.batch,
      park: options.park,
      steal: options.steal,
      adaptive: permits.adaptive,
      onUncaught: options.onUncaught,
      graceMs: options.closeTimeoutMs,
      responseLimitBytes: options.responseLimitBytes,
      compress: options.compress,
      requestId: options.requestId,
      keepAliveLines: options.keepAliveLines,
    };
    const { startTimeoutMs, maxRestarts, resourceLimits, env, execArgv } = options;
    const lifeOptions: LifeOptions = {
      thread: { resourceLimits, env, execArgv },
      startTimeoutMs,
      maxRestarts,
      isSyncParked: options.park === 'sync',
    };
    this.#shards = groups.flatMap((group, index) =>
      Array.from({ length: group.count }, (_, i) => {
        const shard = group.first + i;
        const { first, count } = group;
        const ofShard: LifeSettings = {
          ...settings,
          shard,
          group: { first, count },
          nice: options.shardNice[index],
          maxAbandoned: maxAbandonedOf(options.maxAbandoned, Math.floor(this.slots[index].total / count)),
        };
        return new ShardLife(ofShard, group, lifeOptions, this.#lifeEvents);
      }),
    );
    this.#heartbeat = new Heartbeat(this.#shards, options.stuckAfterMs, (shard) => this.side.counters(shard));
    this.#stalls = new Stalls(groups, this, options.stalledAfterMs, events.onStalled);
  }

  get #lifeEvents(): LifeEvents {
    return {
      onState: (life, state) => this.#onState(life, state),
      onEnded: (life, end, nextMs) => this.#onEnded(life, end, nextMs),
      onMissing: ({ number }) => {
        this.load.replaced[number] = 0;
        this.#events.onShardMissing(number);
      },
      onFailure: ({ number }, report) => this.#events.onFailure(number, report),
      onSignalListener: (_life, signal) => this.#events.onSignalListener(signal),
      onCrowded: (life) => this.#onCrowded(life),
      onStream: ({ number }, { piece }) => this.#events.onStreamPiece(number, piece),
      onBody: ({ number }, { credit }) => this.#events.onBodyCredit(number, credit),
      wake: ({ number }) => void this.side.wake(number),
    };
  }

  // ── lives ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts every shard: the first one alone, so that what the module does once, such as creating a table, is done when the
   * others load it side by side. Resolves when all have been ready for a moment.
   * @returns the route table that all of them agree on
   * @throws LoopShardError as the first shard that fails reports it, ROUTES_DIFFER, SHARD_FAILED
   */
  async start(): Promise<RouteTable> {
    const failure = new Promise<never>((_resolve, reject) => {
      this.#failStart = reject;
    });
    const [first, ...others] = this.#shards;
    const table = await Promise.race([failure, first.start(undefined)]);
    await Promise.race([failure, Promise.all(others.map((shard) => shard.start(table)))]);
    await Promise.race([failure, sleep(SETTLE_MS)]);
    this.#failStart = undefined;
    return table;
  }

  #onState({ number, restarts, cause, isReplaced }: ShardLife, state: ShardState): void {
    this.load.ready[number] = state === 'ready' ? 1 : 0;
    this.load.replaced[number] = isReplaced ? 1 : 0;
    this.#events.onShardState(number, state);
    if (cause !== undefined) this.#failStart?.(cause);
    if (state === 'stuck' || state === 'draining') this.#events.onShardUnavailable(number, state);
    if (state === 'ready' && restarts > 0) this.#events.onShardRestarted(number);
    if (this.#crowded.size > 0) this.#replaceCrowded();
  }

  #onCrowded(life: ShardLife): void {
    this.#crowded.add(life);
    this.#replaceCrowded();
  }

  /** One shard of a group at a time: the others serve meanwhile. */
  #replaceCrowded(): void {
    for (const life of this.#crowded) {
      const { first, count } = life.group;
      const others = this.#shards.slice(first, first + count).filter((other) => other !== life);
      if (!others.every(({ state, isCircuitOpen }) => state === 'ready' || state === 'stuck' || isCircuitOpen))
        continue;
      // Once it turns again it is looked at again.
      if (life.state === 'stuck') continue;
      const { abandoned } = this.side.counters(life.number);
      this.#crowded.delete(life);
      if (abandoned <= life.maxAbandoned || life.state !== 'ready') continue;
      this.#events.onShardCrowded(life.number, abandoned);
      life.replace();
    }
  }

  /** The thread is gone: its permits and its parking are nobody's, and what it owned is taken back. */
  #onEnded(life: ShardLife, end: ThreadEnd, nextMs: number | undefined): void {
    const { number } = life;
    this.side.resetShard(number, this.#permits[number]);
    this.#crowded.delete(life);
    this.#failStart?.(end.error);
    this.#events.onShardEnded(number, end, nextMs);
  }

  // ── the way of a request ────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Passes a slot that the HTTP thread has filled to `shard`.
   * @param bound no other shard may claim it
   */
  submit(slot: number, shard: number, bound: boolean): void {
    this.side.submit(slot, shard, bound);
    this.load.submitted(shard);
  }

  groupOf(shard: number): Group {
    return this.#shards[shard].group;
  }

  /** All permits of the group are taken and nothing settles, for `stalledAfterMs` so far. */
  isStalled(group: Group): boolean {
    return this.#stalls.has(group);
  }

  /** The threads of `shard` have ended so often that only one every 10 s is started. */
  isCircuitOpen(shard: number): boolean {
    return this.#shards[shard].isCircuitOpen;
  }

  /** A request that was submitted to `shard` is not its any more. */
  completed(shard: number): void {
    this.load.outstanding[shard]--;
  }

  /** Takes what `shard` has sent of its streams so far. */
  receiveStreams(shard: number): void {
    this.#shards[shard].receive();
  }

  /** Tells `shard` what became of a stream's bytes. */
  answerStream(shard: number, answer: StreamAnswer): void {
    this.#shards[shard].send({ type: 'stream', answer }, answer.spent);
  }

  /** Sends `shard` a piece of a request body that one of its handlers reads. */
  sendBody(shard: number, piece: BodyPiece): void {
    this.#shards[shard].send({ type: 'body', piece }, piece.bytes === undefined ? [] : [piece.bytes]);
  }

  /**
   * Tells `shard` that nobody waits for the request `sequence` in `slot` any more.
   * @param isGone its response cannot be sent
   */
  abort(shard: number, slot: number, sequence: number, isGone: boolean): void {
    this.#shards[shard].send({ type: 'abort', slot, sequence, isGone });
  }

  /** Tells `shard` that the request `sequence` in `slot` was answered for its handler: the slot comes back without one. */
  abandon(shard: number, slot: number, sequence: number): void {
    this.#shards[shard].send({ type: 'abandon', slot, sequence });
  }

  /** Changes how many handlers may be in flight on `shard`; those that are stay. */
  setPermits(shard: number, permits: number): void {
    this.#permits[shard] = permits;
    this.side.setPermits(shard, permits);
    this.#shards[shard].send({ type: 'permits' });
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Has the shards finish what they have started and end; what has not ended at the deadline is terminated.
   * @param deadline by `performance.now()`
   * @returns the shards whose threads have not ended even so, because they run native code
   */
  close(deadline: number): Promise<number[]> {
    return this.#end((shard) => shard.close(deadline));
  }

  /** Terminates the threads wherever they are. Returns the shards whose threads run native code and have not ended. */
  destroy(): Promise<number[]> {
    return this.#end((shard) => shard.terminate());
  }

  async #end(end: (shard: ShardLife) => Promise<boolean>): Promise<number[]> {
    this.#failStart = undefined;
    this.#heartbeat.stop();
    this.#stalls.stop();
    const ended = await Promise.all(this.#shards.map(end));
    return ended.flatMap((hasEnded, shard) => (hasEnded ? [] : [shard]));
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  stats() {
    return this.#shards.map((shard) => {
      const { number } = shard;
      return {
        shard: number,
        group: shard.group.name,
        state: shard.state,
        restarts: shard.restarts,
        isCircuitOpen: shard.isCircuitOpen,
        stalled: this.isStalled(shard.group),
        outstanding: this.load.outstanding[number],
        queued: this.side.queued(number),
        permits: this.side.permits(number),
        ...this.side.counters(number),
        batchSize: summarize(shard.histograms?.batchSize),
        queueTime: summarize(shard.histograms?.queueTime),
        handlerTime: summarize(shard.histograms?.handlerTime),
      };
    });
  }
}

/** Abandoned handlers may keep slots, and must leave half of them to requests that come. */
function maxAbandonedOf(maxAbandoned: number, slots: number): number {
  return Math.min(maxAbandoned, Math.max(1, Math.floor(slots / 2)));
}

/** Slots in proportion to shards. */
function slotsOf({ first, count }: Group, core: CoreMemory, map: MemoryMap): FreeSlots {
  const boundary = (shard: number) => Math.floor((map.slots * shard) / map.shards);
  return new FreeSlots(core, map, boundary(first), boundary(first + count) - boundary(first));
}
