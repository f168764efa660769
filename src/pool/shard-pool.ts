import { isDeepStrictEqual } from 'node:util';
import { Piscina } from 'piscina';
import {
  DOORBELL_PARKED_OFFSET,
  SHARD_DOORBELL_OFFSET,
  SHARD_PERMITS_OFFSET,
  SLOT_COMPLETED_STATE,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_HTTP_STATE,
  SLOT_OWNER_OFFSET,
  SLOT_OWNER_SHIFT,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { FailureReport, RouteTable } from '../protocol.js';
import { readCounters } from './counters.js';
import type { DispatchPolicy, ShardLoad } from './dispatch.js';
import { createServerMemory, type Plan, shardAddresses, slotAddress } from './plan.js';
import { ShardHandle, type ShardSettings } from './shard-handle.js';
import { SlotStack } from './slots.js';

export interface ShardPoolOptions extends Omit<ShardSettings, 'core'> {
  shards: number;
  permits: number;
  slots: number;
  slotBytes: number;
  policy: DispatchPolicy;
  resourceLimits: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
}

export interface ShardPoolEvents {
  /** The shard's thread has exited: its requests are to be answered, its slots taken back. */
  onShardLost(shard: number, cause: unknown): void;
  /** No other thread could take its place yet; requests that wait for one wait in vain for now. */
  onShardMissing(shard: number, error: LoopShardError): void;
  /** Another thread runs the shard. */
  onShardRestarted(shard: number): void;
  onFailure(shard: number, report: FailureReport): void;
  /** A thread that runs no shard, not any more, has thrown. */
  onStrayError(error: unknown): void;
}

const FIRST_RESTART_DELAY_MS = 10;
const LAST_RESTART_DELAY_MS = 5_000;

/** All shards: their threads, their rings, and which of them the next request goes to. HTTP thread only. */
export class ShardPool {
  readonly core: CoreMemory;
  readonly plan: Plan;
  readonly slots: SlotStack;
  readonly #load: ShardLoad;
  readonly #policy: DispatchPolicy;
  readonly #permits: number;
  readonly #threads: Piscina;
  readonly #shards: ShardHandle[];
  readonly #addresses: ReturnType<typeof shardAddresses>[];
  readonly #events: ShardPoolEvents;
  /** Shards that were given something since their doorbells were rung. */
  readonly #given: Uint8Array;
  #table: RouteTable | undefined;
  #closing = false;

  constructor(options: ShardPoolOptions, events: ShardPoolEvents) {
    const { shards, policy } = options;
    const { core, plan } = createServerMemory(options);
    this.core = core;
    this.plan = plan;
    this.slots = new SlotStack(core, plan);
    this.#load = { outstanding: new Int32Array(shards), ready: new Uint8Array(shards) };
    this.#given = new Uint8Array(shards);
    this.#policy = policy;
    this.#permits = options.permits;
    this.#events = events;
    this.#addresses = Array.from({ length: shards }, (_, shard) => shardAddresses(plan, shard));
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
    const settings: ShardSettings = {
      core: core.share(),
      module: options.module,
      batch: options.batch,
      park: options.park,
      responseLimitBytes: options.responseLimitBytes,
    };
    const shardEvents = {
      onLost: (shard: ShardHandle, cause: unknown) => this.#onLost(shard, cause),
      onFailure: (shard: ShardHandle, report: FailureReport) => events.onFailure(shard.number, report),
    };
    this.#shards = this.#addresses.map((_, number) => new ShardHandle(number, this.#threads, settings, shardEvents));
  }

  /**
   * Starts every shard. Returns the route table that all of them agree on.
   * @throws LoopShardError as the first shard that fails reports it, ROUTES_DIFFER
   */
  async start(): Promise<RouteTable> {
    const [table, ...others] = await Promise.all(this.#shards.map((shard) => shard.start()));
    if (others.some((other) => !isDeepStrictEqual(other, table))) {
      throw new LoopShardError(
        'ROUTES_DIFFER',
        'The module does not define the same routes each time it is loaded; make its routes depend on nothing that differs between threads.',
      );
    }
    this.#table = table;
    this.#load.ready.fill(1);
    return table;
  }

  // ── the way of a request ────────────────────────────────────────────────────────────────────────────────────────

  addresses(shard: number): ReturnType<typeof shardAddresses> {
    return this.#addresses[shard];
  }

  /** The shard for the next request, or -1 if none is ready. */
  pick(): number {
    return this.#policy.pick(this.#load);
  }

  /** Passes a slot that the HTTP thread has filled to `shard`. `false` if its ring is full. */
  submit(slot: number, shard: number): boolean {
    const { slotsAddress, slotStride } = this.plan;
    const { submissions } = this.#addresses[shard];
    if (this.core.wasm.slotSubmit(submissions, slotsAddress, slotStride, shard, slot) === 0) return false;
    this.#load.outstanding[shard]++;
    this.#given[shard] = 1;
    return true;
  }

  /** A request that was submitted to `shard` is not its any more. */
  completed(shard: number): void {
    this.#load.outstanding[shard]--;
  }

  /** Wakes the shards that sleep over what was submitted. */
  ringDoorbells(): void {
    for (let shard = 0; shard < this.#given.length; shard++) {
      if (this.#given[shard] === 0) continue;
      this.#given[shard] = 0;
      this.core.wasm.doorbellRing(this.#addresses[shard].control + SHARD_DOORBELL_OFFSET);
    }
  }

  hasCompletions(): boolean {
    return this.#addresses.some(({ completions }) => this.core.wasm.ringLength(completions) > 0);
  }

  transfer(shard: number, slot: number, sequence: number, bytes: ArrayBuffer): void {
    this.#shards[shard].transfer(slot, sequence, bytes);
  }

  takeTransfer(shard: number, slot: number, sequence: number): Buffer | undefined {
    return this.#shards[shard].takeTransfer(slot, sequence);
  }

  /** Tells `shard` that nobody waits for the request `sequence` in `slot` any more. */
  abort(shard: number, slot: number, sequence: number): void {
    this.#shards[shard].abort(slot, sequence);
  }

  // ── when a shard ends ───────────────────────────────────────────────────────────────────────────────────────────

  /** The owner word of a slot. */
  owner(slot: number): number {
    return Atomics.load(this.core.i32, this.#ownerIndex(slot));
  }

  /** Takes back a slot that was submitted to `shard`, unless it was claimed. */
  recall(slot: number, shard: number): boolean {
    const submitted = SLOT_SUBMITTED_STATE | (shard << SLOT_OWNER_SHIFT);
    return Atomics.compareExchange(this.core.i32, this.#ownerIndex(slot), submitted, SLOT_HTTP_STATE) === submitted;
  }

  /** Takes over a slot that `shard` has completed. `false` if it has not, or was taken over before. */
  takeOver(slot: number, shard: number): boolean {
    const index = this.#ownerIndex(slot);
    if (this.core.i32[index] !== (SLOT_COMPLETED_STATE | (shard << SLOT_OWNER_SHIFT))) return false;
    // Plain: the word is ours since the shard's store, which the poll of its ring has made visible.
    this.core.i32[index] = SLOT_HTTP_STATE;
    return true;
  }

  /** The request in `slot` is a HEAD. */
  isHead(slot: number): boolean {
    return (this.core.i32[(slotAddress(this.plan, slot) + SLOT_FLAGS_OFFSET) >> 2] & SLOT_HEAD_REQUEST_FLAG) !== 0;
  }

  #ownerIndex(slot: number): number {
    return (slotAddress(this.plan, slot) + SLOT_OWNER_OFFSET) >> 2;
  }

  #onLost(shard: ShardHandle, cause: unknown): void {
    const { number } = shard;
    this.#load.ready[number] = 0;
    const { control } = this.#addresses[number];
    // The thread is gone: its permits and its parking are nobody's.
    this.core.wasm.semaphoreInitialize(control + SHARD_PERMITS_OFFSET, this.#permits);
    Atomics.store(this.core.i32, (control + SHARD_DOORBELL_OFFSET + DOORBELL_PARKED_OFFSET) >> 2, 0);
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
      this.#load.ready[shard.number] = 1;
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
    this.#given.fill(1);
    this.ringDoorbells();
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
      const { control, submissions } = this.#addresses[shard.number];
      return {
        shard: shard.number,
        state: shard.state,
        restarts: shard.restarts,
        outstanding: this.#load.outstanding[shard.number],
        queued: wasm.ringLength(submissions),
        permits: {
          available: wasm.semaphoreAvailable(control + SHARD_PERMITS_OFFSET),
          limit: wasm.semaphoreLimit(control + SHARD_PERMITS_OFFSET),
        },
        ...readCounters(i32, control),
      };
    });
  }
}
