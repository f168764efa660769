import { isDeepStrictEqual } from 'node:util';
import { Piscina } from 'piscina';
import { SHARD_PERMITS_OFFSET } from '../../assembly/layout.js';
import { readCounters } from '../contract/counters.js';
import { summarize } from '../contract/histograms.js';
import { createServerMemory, type Plan } from '../contract/memory-map.js';
import {
  type BodyCredit,
  type BodyPiece,
  comparable,
  type FailureReport,
  type RouteTable,
  type StreamAnswer,
  type StreamPiece,
} from '../contract/messages.js';
import { Rings } from '../contract/rings.js';
import { SlotStack } from '../contract/slots.js';
import { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { ShardLoad } from '../http/admission/policies.js';
import type { Group, Permits } from '../options/scheduling.js';
import { ShardHandle, type ShardSettings, type ShardState } from './shard-handle.js';

export interface ShardPoolOptions extends Omit<ShardSettings, 'core' | 'epochMs' | 'adaptive' | 'nice'> {
  groups: readonly Group[];
  /** Of each group. */
  shardNice: readonly number[];
  permits: Permits;
  slots: number;
  slotBytes: number;
  resourceLimits: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
}

export interface ShardPoolEvents {
  /** The shard's thread has exited: its requests are to be answered, its slots taken back. */
  onShardLost(shard: number, cause: unknown): void;
  /** No other thread could take its place yet; requests that wait for one wait in vain for now. */
  onShardMissing(shard: number, error: LoopShardError): void;
  /** Another thread runs the shard. */
  onShardRestarted(shard: number): void;
  onShardState(shard: number, state: ShardState): void;
  onFailure(shard: number, report: FailureReport): void;
  /** A part of a response that is streamed. */
  onStreamPiece(shard: number, piece: StreamPiece): void;
  /** A handler reads the body of its request. */
  onBodyCredit(shard: number, credit: BodyCredit): void;
  /** A thread that runs no shard, not any more, has thrown. */
  onStrayError(error: unknown): void;
}

const FIRST_RESTART_DELAY_MS = 10;
const LAST_RESTART_DELAY_MS = 5_000;

/** All shards: their threads, and what each of them has in hand. HTTP thread only. */
export class ShardPool {
  readonly core: CoreMemory;
  readonly plan: Plan;
  readonly clock = new Clock();
  readonly groups: readonly Group[];
  readonly rings: Rings;
  readonly load: ShardLoad;
  /** Of each group, in the order of `groups`. */
  readonly slots: readonly SlotStack[];
  readonly #permits: Int32Array;
  readonly #threads: Piscina;
  readonly #shards: ShardHandle[];
  readonly #events: ShardPoolEvents;
  #table: RouteTable | undefined;
  #closing = false;

  constructor(options: ShardPoolOptions, events: ShardPoolEvents) {
    const { groups, permits } = options;
    const shards = groups.reduce((sum, { count }) => sum + count, 0);
    const { core, plan } = createServerMemory({ ...options, shards, permits: permits.initial });
    this.core = core;
    this.plan = plan;
    this.groups = groups;
    this.rings = new Rings(core, plan);
    this.slots = groups.map((group) => slotsOf(group, core, plan));
    this.load = { outstanding: new Int32Array(shards), ready: new Uint8Array(shards) };
    this.#permits = new Int32Array(shards).fill(permits.initial);
    this.#events = events;
    this.#threads = new Piscina({
      filename: new URL('../shard/entry.js', import.meta.url).href,
      minThreads: shards,
      maxThreads: shards,
      concurrentTasksPerWorker: 1,
      // Shards park by themselves; piscina's own parking between tasks would only block the thread.
      atomics: 'disabled',
      resourceLimits: options.resourceLimits,
    });
    // An error of a thread whose task has ended is nobody's any more; without a listener it would end the process.
    this.#threads.on('error', (error) => events.onStrayError(error));
    const settings = {
      core: core.share(),
      epochMs: this.clock.epochMs,
      module: options.module,
      batch: options.batch,
      park: options.park,
      steal: options.steal,
      adaptive: permits.adaptive,
      responseLimitBytes: options.responseLimitBytes,
      compress: options.compress,
      requestId: options.requestId,
      keepAliveLines: options.keepAliveLines,
    };
    this.#shards = groups.flatMap((group, index) => {
      const ofGroup: ShardSettings = { ...settings, nice: options.shardNice[index] };
      return Array.from({ length: group.count }, (_, i) => this.#handle(group.first + i, group, ofGroup));
    });
  }

  #handle(number: number, group: Group, settings: ShardSettings): ShardHandle {
    return new ShardHandle(number, group, this.#threads, settings, {
      onLost: (shard, cause) => this.#onLost(shard, cause),
      onState: (shard, state) => this.#events.onShardState(shard.number, state),
      onFailure: (shard, report) => this.#events.onFailure(shard.number, report),
      onStreamPiece: (shard, piece) => this.#events.onStreamPiece(shard.number, piece),
      onBodyCredit: (shard, credit) => this.#events.onBodyCredit(shard.number, credit),
    });
  }

  /**
   * Starts every shard. Returns the route table that all of them agree on.
   * @throws LoopShardError as the first shard that fails reports it, ROUTES_DIFFER
   */
  async start(): Promise<RouteTable> {
    const [table, ...others] = await Promise.all(this.#shards.map((shard) => shard.start()));
    if (others.some((other) => !isDeepStrictEqual(comparable(other), comparable(table)))) {
      throw new LoopShardError(
        'ROUTES_DIFFER',
        'The module does not define the same routes each time it is loaded; make its routes depend on nothing that differs between threads.',
      );
    }
    this.#table = table;
    this.load.ready.fill(1);
    return table;
  }

  // ── the way of a request ────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Passes a slot that the HTTP thread has filled to `shard`.
   * @param bound no other shard may claim it
   * @returns how many slots wait in that ring now, or 0 if it is full
   */
  submit(slot: number, shard: number, bound: boolean): number {
    const length = this.rings.submit(slot, shard, bound);
    if (length > 0) this.load.outstanding[shard]++;
    return length;
  }

  groupOf(shard: number): Group {
    return this.#shards[shard].group;
  }

  /** A request that was submitted to `shard` is not its any more. */
  completed(shard: number): void {
    this.load.outstanding[shard]--;
  }

  transfer(shard: number, slot: number, sequence: number, bytes: ArrayBuffer): void {
    this.#shards[shard].transfer(slot, sequence, bytes);
  }

  takeTransfer(shard: number, slot: number, sequence: number): Buffer | undefined {
    return this.#shards[shard].takeTransfer(slot, sequence);
  }

  /** Takes what `shard` has sent of its streams so far. */
  receiveStreams(shard: number): void {
    this.#shards[shard].receiveStreams();
  }

  /** Tells `shard` what became of a stream's bytes. */
  answerStream(shard: number, answer: StreamAnswer): void {
    this.#shards[shard].answerStream(answer);
  }

  /** Sends `shard` a piece of a request body that one of its handlers reads. */
  sendBody(shard: number, piece: BodyPiece): void {
    this.#shards[shard].sendBody(piece);
  }

  /** Tells `shard` that nobody waits for the request `sequence` in `slot` any more. */
  abort(shard: number, slot: number, sequence: number): void {
    this.#shards[shard].abort(slot, sequence);
  }

  /** Changes how many handlers may be in flight on `shard`; those that are stay. */
  setPermits(shard: number, permits: number): void {
    this.#permits[shard] = permits;
    this.core.wasm.semaphoreSetLimit(this.#semaphore(shard), permits);
    this.#shards[shard].permitsChanged();
  }

  #semaphore(shard: number): number {
    return this.rings.addresses(shard).control + SHARD_PERMITS_OFFSET;
  }

  // ── when a shard ends ───────────────────────────────────────────────────────────────────────────────────────────

  #onLost(shard: ShardHandle, cause: unknown): void {
    const { number } = shard;
    this.load.ready[number] = 0;
    // The thread is gone: its permits and its parking are nobody's.
    this.core.wasm.semaphoreInitialize(this.#semaphore(number), this.#permits[number]);
    this.rings.forgetParked(number);
    this.#events.onShardLost(number, cause);
    void this.#restart(shard, FIRST_RESTART_DELAY_MS);
  }

  async #restart(shard: ShardHandle, delayMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (this.#closing) return;
    shard.restarts++;
    try {
      await shard.start(this.#table);
      if (this.#closing) return;
      this.load.ready[shard.number] = 1;
      this.#events.onShardRestarted(shard.number);
    } catch (error) {
      if (this.#closing) return;
      this.#events.onShardMissing(shard.number, error as LoopShardError);
      void this.#restart(shard, Math.min(delayMs * 2, LAST_RESTART_DELAY_MS));
    }
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ends the shards, which have no more requests, and their threads. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = this.#shards.map((shard) => shard.close());
    // A shard that parks with `park: 'sync'` hears nothing but its doorbell.
    for (const { number } of this.#shards) this.rings.wake(number);
    await Promise.all(closed);
    await this.#threads.destroy();
  }

  /** Terminates the threads wherever they are. */
  async destroy(): Promise<void> {
    this.#closing = true;
    for (const shard of this.#shards) shard.abandon();
    await this.#threads.destroy();
  }

  // ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

  stats() {
    const { wasm, i32 } = this.core;
    return this.#shards.map((shard) => {
      const { number } = shard;
      const semaphore = this.#semaphore(number);
      return {
        shard: number,
        group: shard.group.name,
        state: shard.state,
        restarts: shard.restarts,
        outstanding: this.load.outstanding[number],
        queued: this.rings.queued(number),
        permits: { available: wasm.semaphoreAvailable(semaphore), limit: wasm.semaphoreLimit(semaphore) },
        ...readCounters(i32, this.rings.addresses(number).control),
        batchSize: summarize(shard.histograms?.batchSize),
        queueTime: summarize(shard.histograms?.queueTime),
        handlerTime: summarize(shard.histograms?.handlerTime),
      };
    });
  }
}

/** Slots in proportion to shards. */
function slotsOf({ first, count }: Group, core: CoreMemory, plan: Plan): SlotStack {
  const boundary = (shard: number) => Math.floor((plan.slots * shard) / plan.shards);
  return new SlotStack(core, plan, boundary(first), boundary(first + count) - boundary(first));
}
