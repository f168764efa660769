import {
  COUNTER_CALLED_AT_OFFSET,
  COUNTER_LOST_WAKE_UPS_OFFSET,
  COUNTER_PARKS_OFFSET,
} from '../../../assembly/layout.js';
import { Doorbell } from '../../core/doorbell.js';
import { Parking } from '../../core/parking.js';
import { Turn } from '../../core/turn.js';
import { WaitStrategy } from '../../core/wait-strategy.js';
import type { ShardContext } from '../context.js';
import { Handlers } from '../handlers.js';
import { Claims } from './claims.js';
import type { Gradient2 } from './limiter.js';
import { ThreadTime } from './thread-time.js';

/**
 * Turns without a request for which the shard waits awake at the most, if so few were started in the last turn that hardly
 * anything is going on: then a core is idle. Under load it parks at once, and the core goes to who has work; so it does where
 * another shard is awake that the next request goes to (docs/internals.md).
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
}

/** The shard's loop: claims what may start, starts it, gives back what is done. Between turns the event loop runs. */
export class ShardLoop {
  readonly #context: ShardContext;
  readonly #claims: Claims;
  readonly handlers: Handlers;
  readonly #doorbell: Doorbell;
  readonly #parking: Parking;
  readonly #parkSync: boolean;
  readonly #batch: number;
  readonly #limiter: Gradient2 | undefined;
  readonly #receive: () => boolean;
  /** The part of the claim in hand that has not been started. */
  #next = 0;
  #count = 0;
  readonly #waiting = new WaitStrategy(IDLE_TURNS);
  readonly #threadTime: ThreadTime;
  /** Hardly anything is going on. */
  #calm = false;
  /** Nothing can be claimed for want of permits; the next handler that settles wakes the loop. */
  #starved = false;
  #stopped = false;
  /** Called when the last handler has settled after `stop`. */
  #onSettled: (() => void) | undefined;
  readonly #turn = new Turn(() => this.#runTurn());

  /**
   * @param limiter of adaptive permits
   * @param receive takes a message of the HTTP thread and does what it says; returns whether there was one
   */
  constructor(context: ShardContext, options: LoopOptions, limiter: Gradient2 | undefined, receive: () => boolean) {
    this.#context = context;
    this.#batch = options.batch;
    this.#parkSync = options.park === 'sync';
    this.#limiter = limiter;
    this.#receive = receive;
    this.#claims = new Claims(context, options.batch);
    this.#threadTime = new ThreadTime(context.counters);
    this.handlers = new Handlers(context, {
      onComplete: (slot, us, hasPermit) => this.#complete(slot, us, hasPermit),
      onPermit: () => this.#releasePermit(),
      onDetachedEnded: () => this.#checkSettled(),
    });
    this.#doorbell = Doorbell.attach(context.core, context.addresses.doorbell);
    const hasWork = () => this.#context.side.hasWork();
    this.#parking = new Parking(this.#doorbell, hasWork, () => this.#turn.run());
  }

  start(): void {
    this.#schedule();
  }

  /** Claims no more, and starts what it has claimed. Resolves when no handler is in flight. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#parking.stop();
    if (this.#count > 0) this.#schedule();
    return new Promise((resolve) => {
      this.#onSettled = resolve;
      this.#checkSettled();
    });
  }

  #checkSettled(): void {
    if (this.#stopped && this.#count === 0 && this.handlers.unfinished === 0) this.#onSettled?.();
  }

  /** There may be something to claim that no doorbell announces. */
  look(): void {
    this.#schedule();
  }

  /** There may be more permits than there were. */
  permitsChanged(): void {
    this.handlers.startGathered();
    this.#starved = false;
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#stopped || this.#count > 0) this.#turn.schedule();
  }

  #runTurn(): void {
    if (this.#stopped) return this.#startClaimed();
    this.#parking.unpark();
    const started = this.#startHandlers();
    if (started > 0) {
      this.#waiting.rewarded();
      this.#calm = started <= SMALL_TURN && this.#context.side.isFirstAwake;
      if (this.#calm || this.#count > 0 || this.#context.side.hasWork()) return this.#schedule();
    } else if (this.#calm && this.#waiting.wait()) {
      return this.#schedule();
    }
    this.#stealOrPark();
  }

  #startClaimed(): void {
    this.#startHandlers();
    if (this.#count > 0) this.#schedule();
    else this.#checkSettled();
  }

  /** A shard that would park otherwise takes what waits for others. */
  #stealOrPark(): void {
    this.#count = this.#claims.steal();
    if (this.#count > 0) this.#schedule();
    else this.#park();
  }

  /** Starts handlers, as many as a turn has time for and a batch holds. Returns how many. */
  #startHandlers(): number {
    const { clock, counters, side } = this.#context;
    let started = 0;
    let now = clock.nowUs();
    const turnStart = now;
    while (started < this.#batch && (this.#count > 0 || this.#claim())) {
      while (this.#next < this.#count) {
        const before = now;
        counters.put(COUNTER_CALLED_AT_OFFSET, before | 1);
        now = this.handlers.start(side.claimed(this.#next++), before);
        started++;
        this.#claims.learn(now - before);
        if (now - turnStart > TURN_US) break;
      }
      if (this.#next === this.#count) this.#next = this.#count = 0;
      if (now - turnStart > TURN_US) break;
    }
    if (started > 0) counters.put(COUNTER_CALLED_AT_OFFSET, 0);
    this.#threadTime.turned(started, now - turnStart, this.handlers.inFlight);
    return started;
  }

  #claim(): boolean {
    if (this.#stopped) return false;
    this.#count = this.#claims.claim();
    return this.#count > 0;
  }

  /** The response of `slot` is written: the slot goes back, its permit is free, and the HTTP thread is told. */
  #complete(slot: number, handlerUs: number, hasPermit: boolean): void {
    const { side, clock } = this.#context;
    if (handlerUs > 0) this.#limiter?.sample(handlerUs, this.handlers.inFlight + 1, clock.nowUs());
    if (side.complete(slot, hasPermit) && hasPermit) this.#onPermitFree();
    if (this.#stopped) this.#checkSettled();
  }

  #releasePermit(): void {
    this.#context.side.permits.release();
    this.#onPermitFree();
    if (this.#stopped) this.#checkSettled();
  }

  #onPermitFree(): void {
    this.handlers.startGathered();
    if (!this.#starved) return;
    this.#starved = false;
    this.#schedule();
  }

  #park(): void {
    const { counters } = this.#context;
    counters.add(COUNTER_PARKS_OFFSET, 1);
    if (this.#parkSync && this.handlers.unfinished === 0) this.#parkBlocking();
    else if (this.#context.side.permits.available === 0) this.#starved = true;
    else if (!this.#parking.park()) this.#schedule();
    counters.set(COUNTER_LOST_WAKE_UPS_OFFSET, this.#parking.lostWakeUps);
  }

  #parkBlocking(): void {
    const bell = this.#doorbell.park();
    // The HTTP thread rings behind each message: one that came before the shard said that it parks is found by this look.
    if (!this.#context.side.hasWork() && !this.#receive()) this.#doorbell.wait(bell, SYNC_PARK_MS);
    this.#doorbell.unpark();
    this.#schedule();
  }
}
