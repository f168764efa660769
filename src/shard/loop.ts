import {
  COUNTER_BATCHES_OFFSET,
  COUNTER_LOST_WAKE_UPS_OFFSET,
  COUNTER_PARKS_OFFSET,
  COUNTER_STARTED_OFFSET,
  HTTP_DOORBELL_OFFSET,
  SHARD_BATCH_OFFSET,
  SHARD_COUNTERS_OFFSET,
  SHARD_DOORBELL_OFFSET,
  SHARD_PERMITS_OFFSET,
} from '../../assembly/layout.js';
import { Doorbell } from '../core/doorbell.js';
import { Parking } from '../core/parking.js';
import type { ShardContext } from './context.js';
import { Handlers } from './handlers.js';

/**
 * Turns without a request after which the shard parks, if batches are so small that hardly anything is going on: then a
 * core is idle that may as well wait awake. Under load it parks at once, and the core goes to who has work
 * (docs/internals.md).
 */
const IDLE_TURNS = 50;
const SMALL_BATCH = 2;
/** How long a turn may start handlers before the event loop has its turn: promises, timers, sockets. */
const TURN_MS = 1;
const FIRST_CLAIM = 8;
/** How long `park: 'sync'` blocks at a time. */
const SYNC_PARK_MS = 1_000;

/** The shard's loop: claims what may start, starts it, gives back what is done. Between turns the event loop runs. */
export class ShardLoop {
  readonly #context: ShardContext;
  readonly #handlers: Handlers;
  readonly #doorbell: Doorbell;
  readonly #parking: Parking;
  readonly #parkSync: boolean;
  readonly #maxClaim: number;
  readonly #counters: number;
  /** Slots claimed at once: doubled while they are started within a turn, cut back when they are not. */
  #claim = FIRST_CLAIM;
  /** The part of the batch in hand that has not been started. */
  #next = 0;
  #count = 0;
  /** Turns to wait awake. */
  #idleTurns = 0;
  /** Nothing can be claimed for want of permits; the next handler that settles wakes the loop. */
  #starved = false;
  #scheduled = false;
  #stopped = false;
  readonly #turn = () => this.#runTurn();

  constructor(context: ShardContext, options: { batch: number; park: 'async' | 'sync' }) {
    this.#context = context;
    this.#maxClaim = options.batch;
    this.#parkSync = options.park === 'sync';
    this.#handlers = new Handlers(context, (slot) => this.#complete(slot));
    this.#counters = (context.addresses.control + SHARD_COUNTERS_OFFSET) >> 2;
    this.#doorbell = Doorbell.attach(context.core, context.addresses.control + SHARD_DOORBELL_OFFSET);
    this.#parking = new Parking(this.#doorbell, this.#hasWork, () => this.#wake());
  }

  start(): void {
    this.#schedule();
  }

  /** No more is claimed. */
  stop(): void {
    this.#stopped = true;
    this.#parking.stop();
  }

  readonly #hasWork = (): boolean => this.#context.core.wasm.ringLength(this.#context.addresses.submissions) > 0;

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  /** Somebody rang: no need to go round the event loop first. */
  #wake(): void {
    if (!this.#scheduled) this.#runTurn();
  }

  #runTurn(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    this.#parking.unpark();
    if (this.#next === this.#count) this.#claimBatch();
    if (this.#count > 0) {
      this.#idleTurns = this.#count <= SMALL_BATCH ? IDLE_TURNS : 0;
      this.#startBatch();
      if (this.#idleTurns > 0 || this.#count > 0 || this.#hasWork()) this.#schedule();
      else this.#park();
    } else if (this.#idleTurns-- > 0) {
      this.#schedule();
    } else {
      this.#park();
    }
  }

  #claimBatch(): void {
    const { core, plan, addresses, shard } = this.#context;
    this.#next = 0;
    this.#count = core.wasm.slotClaimPermitted(
      addresses.control + SHARD_PERMITS_OFFSET,
      addresses.submissions,
      shard,
      plan.slotsAddress,
      plan.slotStride,
      shard,
      addresses.control + SHARD_BATCH_OFFSET,
      Math.min(this.#claim, this.#maxClaim),
    );
    if (this.#count === 0) return;
    this.#add(COUNTER_STARTED_OFFSET, this.#count);
    this.#add(COUNTER_BATCHES_OFFSET, 1);
  }

  /** Starts the handlers of the batch, as many as a turn has time for. */
  #startBatch(): void {
    const { i32 } = this.#context.core;
    const start = (this.#context.addresses.control + SHARD_BATCH_OFFSET) >> 2;
    const deadline = performance.now() + TURN_MS;
    while (this.#next < this.#count) {
      this.#handlers.start(i32[start + this.#next++]);
      if (performance.now() > deadline) {
        this.#claim = Math.max(1, this.#next >> 1);
        break;
      }
    }
    if (this.#next < this.#count) return;
    if (this.#count >= this.#claim && this.#claim < this.#maxClaim) this.#claim *= 2;
    this.#next = this.#count = 0;
  }

  /** The response of `slot` is written: the slot goes back, its permit is free, and the HTTP thread is told. */
  #complete(slot: number): void {
    const { core, plan, addresses, shard } = this.#context;
    core.wasm.semaphoreRelease(addresses.control + SHARD_PERMITS_OFFSET, 1);
    core.wasm.slotComplete(addresses.completions, plan.slotsAddress, plan.slotStride, shard, slot);
    // At once and not behind the batch: the next handler may be a slow one. Only a parked HTTP thread costs a call.
    core.wasm.doorbellRing(HTTP_DOORBELL_OFFSET);
    if (this.#starved) {
      this.#starved = false;
      this.#schedule();
    }
  }

  #park(): void {
    this.#add(COUNTER_PARKS_OFFSET, 1);
    if (this.#parkSync && this.#handlers.inFlight === 0) this.#parkBlocking();
    else if (this.#permits() === 0) this.#starved = true;
    else if (!this.#parking.park()) this.#schedule();
    Atomics.store(
      this.#context.core.i32,
      this.#counters + (COUNTER_LOST_WAKE_UPS_OFFSET >> 2),
      this.#parking.lostWakeUps,
    );
  }

  #permits(): number {
    const { core, addresses } = this.#context;
    return core.wasm.semaphoreAvailable(addresses.control + SHARD_PERMITS_OFFSET);
  }

  #parkBlocking(): void {
    const bell = this.#doorbell.park();
    if (!this.#hasWork()) this.#doorbell.wait(bell, SYNC_PARK_MS);
    this.#doorbell.unpark();
    this.#schedule();
  }

  /** Only this thread writes its counters, so they need no atomic addition. */
  #add(offset: number, by: number): void {
    const index = this.#counters + (offset >> 2);
    this.#context.core.i32[index] = (this.#context.core.i32[index] + by) | 0;
  }
}
