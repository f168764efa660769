import {
  SLOT_ABANDONED_FLAG,
  SLOT_CLOSES_FLAG,
  SLOT_EXPIRED_FLAG,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_INTERIM_FLAG,
  SLOT_OBSERVED_FLAG,
  SLOT_STREAM_FLAG,
} from '../../../assembly/layout.js';
import { httpAddresses } from '../../contract/memory-map.js';
import type { SlotView } from '../../contract/slot-view.js';
import { Doorbell } from '../../core/doorbell.js';
import { Parking } from '../../core/parking.js';
import { Turn } from '../../core/turn.js';
import { WaitStrategy } from '../../core/wait-strategy.js';
import { EMPTY, type Reason } from '../answers.js';
import { Exchange, type ObservedExchange, REPORTED, type Receiver, type RefusedRequest } from '../exchange.js';
import { learnBytes } from '../expected-bytes.js';
import type { Refusals } from '../refusals.js';
import type { Shards } from '../shards.js';
import type { Moderation } from './moderation.js';
import type { Observation } from './observation.js';

const enqueue = globalThis.queueMicrotask;

/** Maximum number of turns without a completion for which the HTTP thread waits awake while responses are outstanding. */
const IDLE_TURNS = 50;
/** The longest average wait for which one of several HTTP threads waits awake: it takes a core from shards (docs/scaling.md). */
const WORTH_OF_SEVERAL_MS = 0.06;
/**
 * Under load, doorbells are delayed until a few more requests have been submitted: waking a shard costs more than a turn of this loop, and
 * takes a core from a working thread if all cores are busy (docs/internals.md).
 */
const GATHER_TURNS = 2;
/** The same while connections are accepted: few in a turn of the loop, so more may be waiting, and their requests come one by one. */
const ACCEPTING_TURNS = 8;
/** Number of requests that justify a wake-up. */
const GATHER_REQUESTS = 32;
/** Number of requests after which completions are taken before the end of a turn (docs/internals.md). */
const CATCH_UP_REQUESTS = 48;
/** Flags of a slot that is given back without a response for the socket. */
const WITHOUT_RESPONSE = SLOT_EXPIRED_FLAG | SLOT_ABANDONED_FLAG | SLOT_STREAM_FLAG;
/** Flags of some responses that apps of other frameworks form. */
const OF_RAW_RESPONSE = SLOT_INTERIM_FLAG | SLOT_CLOSES_FLAG;
/** Flags of a slot whose response is not simply to be sent. */
const SPECIAL = WITHOUT_RESPONSE | OF_RAW_RESPONSE | SLOT_OBSERVED_FLAG;
/** Number of outstanding requests that counts as load. */
const LOAD = 8;

export interface CompletionEvents {
  /** A turn begins: this thread may have been woken because a permit is free for which a request waits. */
  onTurn(): void;
  /** A slot was given back by its shard. */
  onReturned(exchange: Exchange): void;
  /** The same, but its response is not needed. */
  onUnwanted(exchange: Exchange): void;
  /** The response is a stream that continues without the slot. */
  onDetached(exchange: Exchange): void;
}

/**
 * The HTTP thread's side of the rings, one turn at a time: rings the doorbells of shards that were given requests, takes completions, and
 * passes them to the connections. Between turns the event loop serves the sockets.
 */
export class Completions {
  readonly #shards: Shards;
  readonly #exchanges: readonly Exchange[];
  readonly #parking: Parking;
  readonly #refusals: Refusals;
  readonly #moderation: Moderation | undefined;
  readonly #observation: Observation;
  readonly #events: CompletionEvents;
  /** Connections to flush at the end of the turn; those from `#touchedCount` on are left from earlier turns. */
  readonly #touched: Receiver[] = [];
  #touchedCount = 0;
  #outstanding = 0;
  /** Outstanding requests whose responses have begun: streams, which may take long. */
  #streaming = 0;
  readonly #waiting: WaitStrategy;
  /** Requests for which no doorbell was rung yet, and turns for which this was postponed. */
  #gathered = 0;
  #postponed = 0;
  #isAccepting = false;
  #stopped = false;
  readonly #turn = new Turn(() => this.#runTurn());
  /** Requests published since completions were last taken. */
  #unreaped = 0;
  /**
   * Rings doorbells and takes completions before the end of a turn in which many sockets are read: the first shards and clients need not
   * wait for it, and their connections are still in the caches. A microtask, which begins when the current read is over.
   */
  readonly #catchUp = () => {
    if (this.#stopped || this.#unreaped < CATCH_UP_REQUESTS) return;
    this.#ringDoorbells();
    this.#reapAll();
  };

  /** @param moderation if shards have threads of their own */
  constructor(
    shards: Shards,
    exchanges: readonly Exchange[],
    refusals: Refusals,
    moderation: Moderation | undefined,
    observation: Observation,
    events: CompletionEvents,
  ) {
    this.#shards = shards;
    this.#waiting = new WaitStrategy(IDLE_TURNS, shards.map.httpThreads > 1 ? WORTH_OF_SEVERAL_MS : undefined);
    this.#exchanges = exchanges;
    this.#refusals = refusals;
    this.#moderation = moderation;
    this.#observation = observation;
    this.#events = events;
    const doorbell = Doorbell.attach(shards.core, httpAddresses(shards.map, shards.side.http).doorbell);
    const hasWork = () => shards.side.hasCompletions(shards.attached);
    this.#parking = new Parking(doorbell, hasWork, () => this.#turn.run());
  }

  get lostWakeUps(): number {
    return this.#parking.lostWakeUps;
  }

  /** Number of requests submitted to shards and not given back. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Counts a request that was admitted. */
  owe(): void {
    this.#outstanding++;
  }

  /** A connection was accepted in this turn of the event loop. */
  accepted(): void {
    this.#isAccepting = true;
  }

  /** A request was published to `shard`: the doorbell is rung at the end of this turn, or of one soon after. */
  published(shard: number): void {
    if (++this.#unreaped === CATCH_UP_REQUESTS) enqueue(this.#catchUp);
    // The shard is awake and this thread is parked: the shard checks its rings itself, and nothing needs to be taken here.
    if (this.#parking.isParked && !this.#shards.side.words.isParked(shard)) return;
    this.#gathered++;
    this.#waiting.restart();
    this.schedule();
  }

  /** The response to an outstanding request has begun, and is a stream. */
  streamBegun(): void {
    this.#streaming++;
  }

  /** Stops after the last responses were passed to their connections. */
  finish(): void {
    this.#flush();
    this.stop();
  }

  stop(): void {
    this.#stopped = true;
    this.#parking.stop();
  }

  /** Schedules a turn soon. */
  schedule(): void {
    this.#turn.schedule();
  }

  #runTurn(): void {
    if (this.#stopped) return;
    this.#parking.unpark();
    this.#events.onTurn();
    this.#ring();
    if (this.#reapAll() > 0) this.#waiting.rewarded();
    if (this.#outstanding === 0) return;
    // A shard that was given a request but not woken would wait forever.
    if (this.#gathered > 0 || this.#moderation?.pause() || this.#waiting.wait() || !this.#parking.park())
      this.schedule();
  }

  #ring(): void {
    const isAccepting = this.#isAccepting;
    this.#isAccepting = false;
    if (this.#gathered === 0) return;
    const isLoaded = isAccepting || this.#outstanding - this.#streaming >= LOAD;
    const worthWaiting = isLoaded && this.#gathered < GATHER_REQUESTS && this.#shards.side.someSleep;
    if (worthWaiting && this.#postponed++ < (isAccepting ? ACCEPTING_TURNS : GATHER_TURNS)) return;
    this.#ringDoorbells();
  }

  #ringDoorbells(): void {
    this.#shards.side.ringDoorbells();
    this.#gathered = 0;
    this.#postponed = 0;
  }

  /** Takes all completions. Returns how many. */
  #reapAll(): number {
    this.#unreaped = 0;
    let total = 0;
    for (const shard of this.#shards.attached) total += this.reap(shard);
    this.#flush();
    return total;
  }

  /** Passes what has arrived to the connections. */
  #flush(): void {
    // Emptying an array is more expensive than counting.
    for (let i = 0; i < this.#touchedCount; i++) this.#touched[i].flush();
    this.#touchedCount = 0;
  }

  /** Takes the completions of one shard; their connections are flushed by the next turn at the latest. */
  reap(shard: number): number {
    const { side } = this.#shards;
    const count = side.poll(shard);
    for (let i = 0; i < count; i++) this.complete(side.polled(i), shard);
    return count;
  }

  /** Handles a slot that `shard` has given back with its response. */
  complete(slot: number, shard: number): void {
    // Ignores a slot that this shard has not completed, or not since it was last taken over.
    if (!this.#shards.side.takeOver(slot, shard)) return;
    const exchange = this.#exchanges[slot];
    exchange.ranOn = shard;
    const failure = this.#readResponse(exchange, shard);
    if (failure === undefined) this.#settle(exchange);
    else this.refuse(exchange, failure);
  }

  /** Responds instead of a shard: the slot is back, or was never submitted. */
  refuse(exchange: Exchange, reason: Reason): void {
    if (exchange.stream !== undefined) {
      // What was sent cannot be taken back.
      if (!exchange.stream.isOver) exchange.stream.last = 'broken';
    } else if (exchange.connection !== undefined) {
      exchange.observed ??= this.#observation.unhandled(exchange, reason);
      const answer = this.#refusals.counted(reason, this.#refused(exchange));
      exchange.bytes = answer.bytes;
      exchange.isPrivate = true;
      exchange.headBytes = answer.headBytes;
    }
    this.#settle(exchange);
  }

  /** Responds now; the slot is given back later, when the response is no longer needed. */
  refuseEarly(exchange: Exchange, reason: Reason): void {
    const { connection } = exchange;
    if (connection === undefined) return;
    const instead = Exchange.answered(connection, this.#refusals.counted(reason, this.#refused(exchange)));
    this.#observation.answeredEarly(exchange, instead, reason);
    exchange.connection = undefined;
    connection.replace(exchange, instead);
    this.#touch(connection);
    this.schedule();
  }

  /** The same for a request whose response will not come, or not completely. */
  loseEarly(exchange: Exchange): void {
    const { stream, connection } = exchange;
    if (stream === undefined) return this.refuseEarly(exchange, 'SHARD_LOST');
    if (connection === undefined || stream.isOver) return;
    // What was sent cannot be taken back.
    stream.last = 'broken';
    connection.flush();
  }

  /** Drops a request whose client has disconnected and that no shard holds. */
  drop(exchange: Exchange): void {
    exchange.observed ??= this.#observation.unhandled(exchange, undefined);
    this.#settle(exchange);
  }

  #refused({ slot, refused }: Exchange): RefusedRequest {
    return refused ?? { isHead: this.#shards.side.views[slot].has(SLOT_HEAD_REQUEST_FLAG) };
  }

  #settle(exchange: Exchange): void {
    this.#events.onReturned(exchange);
    this.#outstanding--;
    if (exchange.stream !== undefined) this.#streaming--;
    const { connection } = exchange;
    if (connection === undefined) {
      exchange.observed?.ended(exchange.stream?.status ?? 0, true);
      this.#events.onUnwanted(exchange);
      return;
    }
    exchange.ready = true;
    connection.onResponse(exchange);
    this.#touch(connection);
  }

  #touch(connection: Receiver): void {
    this.#touched[this.#touchedCount++] = connection;
  }

  /** Reads the response. Returns the reason if there is none. */
  #readResponse(exchange: Exchange, shard: number): Reason | undefined {
    const view = this.#shards.side.views[exchange.slot];
    exchange.extent = view.responseExtent;
    if (view.has(SPECIAL)) {
      if (view.has(SLOT_OBSERVED_FLAG)) exchange.observed ??= this.#observe(exchange, shard);
      if (view.has(WITHOUT_RESPONSE)) return this.#endWithoutResponse(exchange, view, shard);
      if (view.has(OF_RAW_RESPONSE)) this.#noteRaw(exchange, view, shard);
    }
    const start = view.response;
    const headBytes = view.responseHeadBytes;
    const bytes = headBytes + view.responseBodyBytes;
    learnBytes(exchange.route!, bytes);
    exchange.headBytes = headBytes;
    const before = exchange.bytes;
    // Responses of one route often have the same place and size, and a new view costs more than this comparison.
    if (before === undefined || before.byteOffset !== start || before.length !== bytes) {
      exchange.bytes = Buffer.from(this.#shards.core.buffer as never, start, bytes);
    }
    return undefined;
  }

  #observe(exchange: Exchange, shard: number): ObservedExchange {
    const observed = this.#observation.handled(shard, exchange);
    const { stream } = exchange;
    if (stream?.isUpgrade !== true || stream.status === undefined) return observed;
    // The response is over once the connection has changed to another protocol.
    observed.ended(stream.status, false);
    return REPORTED;
  }

  #noteRaw(exchange: Exchange, view: SlotView, shard: number): void {
    if (view.has(SLOT_INTERIM_FLAG)) this.#shards.receive(shard);
    if (view.has(SLOT_CLOSES_FLAG)) exchange.close = true;
  }

  /** The reason: the handler took too long, or wants its connection closed, as an earlier message says. */
  #whyAbandoned(exchange: Exchange, shard: number): Reason | undefined {
    this.#shards.receive(shard);
    if (!exchange.isCut) return 'HANDLER_TIMEOUT';
    exchange.bytes = EMPTY;
    exchange.isPrivate = true;
    return undefined;
  }

  /** Handles a slot without a response, or whose response was sent before. Returns the reason if there is none. */
  #endWithoutResponse(exchange: Exchange, view: SlotView, shard: number): Reason | undefined {
    if (view.has(SLOT_EXPIRED_FLAG)) return 'QUEUE_TIMEOUT';
    if (view.has(SLOT_ABANDONED_FLAG)) return this.#whyAbandoned(exchange, shard);
    // The head was posted before the slot was given back.
    this.#shards.receive(shard);
    const { stream, connection } = exchange;
    if (stream === undefined) return 'SHARD_LOST';
    if (!stream.isOver && connection !== undefined) this.#events.onDetached(exchange);
    return undefined;
  }
}
