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
import { Blocking } from './blocking.js';
import { Claims } from './claims.js';
import type { Gradient2 } from './limiter.js';
import { ThreadTime } from './thread-time.js';

/**
 * Turns without a request that the shard stays awake, at most. It stays awake only if the last turn started few requests, because then
 * a core is idle. Under load it parks immediately, and so does a shard if the next request goes to another shard that is awake
 * (docs/internals.md).
 */
const IDLE_TURNS = 50;
const SMALL_TURN = 2;
/** How long a turn may start handlers, with what they do after an `await`, before it yields to promises, timers and sockets. */
const TURN_US = 1_000;
/** How long `park: 'sync'` blocks at a time. */
const SYNC_PARK_MS = 1_000;

export interface LoopOptions {
  batch: number;
  park: 'async' | 'sync';
}

/** The shard's loop: claims slots, starts their handlers, and completes them. Between its turns the event loop runs. */
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
  /** The current claim: index of the next slot to start, and number of slots. */
  #next = 0;
  #count = 0;
  /** When it was claimed, by the server's clock. */
  #claimedAt = 0;
  readonly #waiting = new WaitStrategy(IDLE_TURNS);
  readonly #threadTime: ThreadTime;
  /** The load is low. */
  #calm = false;
  /** Out of permits: nothing can be claimed until a handler settles and wakes the loop. */
  #starved = false;
  #stopped = false;
  /** Called when the last handler has settled after `stop`. */
  #onSettled: (() => void) | undefined;
  /** Called when no upgraded connection is open. */
  #onDisconnected: (() => void) | undefined;
  readonly #turn = new Turn(() => this.#runTurn());

  /**
   * @param limiter for adaptive permits
   * @param receive processes one pending message; returns whether one was pending
   */
  constructor(context: ShardContext, options: LoopOptions, limiter: Gradient2 | undefined, receive: () => boolean) {
    this.#context = context;
    this.#batch = options.batch;
    this.#parkSync = options.park === 'sync';
    this.#limiter = limiter;
    this.#receive = receive;
    this.#threadTime = new ThreadTime(context.counters);
    this.#claims = new Claims(context, options.batch, this.#threadTime);
    const blocking = new Blocking(context, () => ({ next: this.#next, end: this.#count }));
    this.handlers = new Handlers(context, this.#threadTime, blocking, {
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

  /** Stops claiming, and starts the slots already claimed. Resolves when no handler is in flight. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#parking.stop();
    if (this.#count > 0) this.#schedule();
    return new Promise((resolve) => {
      this.#onSettled = resolve;
      this.#checkSettled();
    });
  }

  /** After `stop`: waits for handlers no longer. */
  giveUp(): void {
    this.#onSettled?.();
  }

  /** After `stop`: resolves when no upgraded connection is open. */
  disconnected(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDisconnected = resolve;
      this.#checkSettled();
    });
  }

  #checkSettled(): void {
    if (!this.#stopped) return;
    if (this.#count === 0 && this.handlers.unfinished === 0) this.#onSettled?.();
    if (this.handlers.upgraded === 0) this.#onDisconnected?.();
  }

  /** Checks for requests that no doorbell announced. */
  look(): void {
    this.#schedule();
  }

  /** Checks for work after the number of permits has changed. */
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

  /** Takes requests queued for other shards before it parks. */
  #stealOrPark(): void {
    this.#count = this.#claims.steal();
    if (this.#count === 0) return this.#park();
    this.#noteClaim(this.#context.clock.nowUs());
    this.#schedule();
  }

  /** Starts handlers until the time of the turn or the batch is used up. Returns how many were started. */
  #startHandlers(): number {
    const { clock, counters, side } = this.#context;
    let started = 0;
    let now = clock.nowUs();
    const turnStart = now;
    while (started < this.#batch && (this.#count > 0 || this.#claim(now))) {
      while (this.#next < this.#count) {
        const before = now;
        now = this.handlers.start(side.claimed(this.#next++), before, this.#claimedAt);
        started++;
        this.#claims.learn(now - before);
        if (this.#isOver(turnStart, now, started)) break;
      }
      if (this.#next === this.#count) this.#next = this.#count = 0;
      if (this.#isOver(turnStart, now, started)) break;
    }
    if (started > 0) counters.put(COUNTER_CALLED_AT_OFFSET, 0);
    this.#threadTime.turned(started, now - turnStart, this.handlers.inFlight);
    return started;
  }

  /**
   * Whether the turn has taken long enough, with what the started handlers are expected to do after an `await`. That runs when the turn is
   * over: if pages were started together, all of them would be rendered before the first one is sent.
   */
  #isOver(turnStart: number, now: number, started: number): boolean {
    return Math.max(now - turnStart, started * this.#threadTime.meanUs) > TURN_US;
  }

  #claim(now: number): boolean {
    if (this.#stopped) return false;
    this.#count = this.#claims.claim();
    if (this.#count === 0) return false;
    this.#noteClaim(now);
    return true;
  }

  #noteClaim(now: number): void {
    this.#claimedAt = now;
    this.handlers.observers.refresh();
  }

  /** Publishes the response of `slot` to the HTTP thread and releases its permit. */
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
    if (this.#parkSync && this.handlers.unfinished + this.handlers.upgraded === 0) this.#parkBlocking();
    else if (this.#context.side.permits.available === 0) this.#starved = true;
    else if (!this.#parking.park()) this.#schedule();
    counters.set(COUNTER_LOST_WAKE_UPS_OFFSET, this.#parking.lostWakeUps);
  }

  #parkBlocking(): void {
    const bell = this.#doorbell.park();
    // The HTTP thread rings after each message. A message sent before the shard announced that it parks is found by this check.
    if (!this.#context.side.hasWork() && !this.#receive()) this.#doorbell.wait(bell, SYNC_PARK_MS);
    this.#doorbell.unpark();
    this.#schedule();
  }
}
