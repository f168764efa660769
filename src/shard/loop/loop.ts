import {
  COUNTER_LOST_WAKE_UPS_OFFSET,
  COUNTER_PARKS_OFFSET,
  HTTP_DOORBELL_OFFSET,
  SHARD_DOORBELL_OFFSET,
  SHARD_PERMITS_OFFSET,
} from '../../../assembly/layout.js';
import { Doorbell } from '../../core/doorbell.js';
import { Parking } from '../../core/parking.js';
import { WaitStrategy } from '../../core/wait-strategy.js';
import type { ShardContext } from '../context.js';
import { Handlers } from '../handlers.js';
import { Claims } from './claims.js';
import type { Gradient2 } from './limiter.js';

/**
 * Turns without a request for which the shard waits awake at the most, if so few were started in the last turn that hardly
 * anything is going on: then a core is idle. Under load it parks at once, and the core goes to who has work
 * (docs/internals.md).
 */
const IDLE_TURNS = 50;
const SMALL_TURN = 2;
/** How long a turn may start handlers before the event loop has its turn: promises, timers, sockets. */
const TURN_US = 1_000;
/** How long `park: 'sync'` blocks at a time. */
const SYNC_PARK_MS = 1_000;

export interface LoopOptions {
  batch: number;
  park: 'async' | 'sync';
  steal: boolean;
}

/** The shard's loop: claims what may start, starts it, gives back what is done. Between turns the event loop runs. */
export class ShardLoop {
  readonly #context: ShardContext;
  readonly #claims: Claims;
  readonly #handlers: Handlers;
  readonly #doorbell: Doorbell;
  readonly #parking: Parking;
  readonly #parkSync: boolean;
  readonly #batch: number;
  readonly #limiter: Gradient2 | undefined;
  /** The part of the claim in hand that has not been started. */
  #next = 0;
  #count = 0;
  readonly #waiting = new WaitStrategy(IDLE_TURNS);
  /** Hardly anything is going on. */
  #calm = false;
  /** Nothing can be claimed for want of permits; the next handler that settles wakes the loop. */
  #starved = false;
  #scheduled = false;
  #stopped = false;
  readonly #turn = () => this.#runTurn();

  /** @param limiter of adaptive permits */
  constructor(context: ShardContext, options: LoopOptions, limiter: Gradient2 | undefined) {
    this.#context = context;
    this.#batch = options.batch;
    this.#parkSync = options.park === 'sync';
    this.#limiter = limiter;
    this.#claims = new Claims(context, options);
    this.#handlers = new Handlers(context, (slot, us) => this.#complete(slot, us));
    this.#doorbell = Doorbell.attach(context.core, context.addresses.control + SHARD_DOORBELL_OFFSET);
    const hasWork = () => this.#claims.hasWork();
    this.#parking = new Parking(this.#doorbell, hasWork, () => this.#wake());
  }

  start(): void {
    this.#schedule();
  }

  /** No more is claimed. */
  stop(): void {
    this.#stopped = true;
    this.#parking.stop();
  }

  /** There may be more permits than there were. */
  permitsChanged(): void {
    this.#starved = false;
    this.#schedule();
  }

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
    const started = this.#startHandlers();
    if (started > 0) {
      this.#waiting.rewarded();
      this.#calm = started <= SMALL_TURN;
      if (this.#calm || this.#count > 0 || this.#claims.hasWork()) return this.#schedule();
    } else if (this.#calm && this.#waiting.wait()) {
      return this.#schedule();
    }
    this.#stealOrPark();
  }

  /** A shard that would park otherwise takes what waits for others. */
  #stealOrPark(): void {
    this.#count = this.#claims.steal();
    if (this.#count > 0) this.#schedule();
    else this.#park();
  }

  /** Starts handlers, as many as a turn has time for and a batch holds. Returns how many. */
  #startHandlers(): number {
    let started = 0;
    let now = this.#context.clock.nowUs();
    const turnStart = now;
    while (started < this.#batch && (this.#count > 0 || this.#claim())) {
      while (this.#next < this.#count) {
        const before = now;
        now = this.#handlers.start(this.#claims.slot(this.#next++), before);
        started++;
        this.#claims.learn(now - before);
        if (now - turnStart > TURN_US) break;
      }
      if (this.#next === this.#count) this.#next = this.#count = 0;
      if (now - turnStart > TURN_US) break;
    }
    return started;
  }

  #claim(): boolean {
    this.#count = this.#claims.claim();
    return this.#count > 0;
  }

  /** The response of `slot` is written: the slot goes back, its permit is free, and the HTTP thread is told. */
  #complete(slot: number, handlerUs: number): void {
    const { core, plan, addresses, shard, clock } = this.#context;
    if (handlerUs > 0) this.#limiter?.sample(handlerUs, this.#handlers.inFlight + 1, clock.nowUs());
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
    const { counters } = this.#context;
    counters.add(COUNTER_PARKS_OFFSET, 1);
    if (this.#parkSync && this.#handlers.inFlight === 0) this.#parkBlocking();
    else if (this.#claims.permits === 0) this.#starved = true;
    else if (!this.#parking.park()) this.#schedule();
    counters.set(COUNTER_LOST_WAKE_UPS_OFFSET, this.#parking.lostWakeUps);
  }

  #parkBlocking(): void {
    const bell = this.#doorbell.park();
    if (!this.#claims.hasWork()) this.#doorbell.wait(bell, SYNC_PARK_MS);
    this.#doorbell.unpark();
    this.#schedule();
  }
}
