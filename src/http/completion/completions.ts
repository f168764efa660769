import {
  SLOT_ABANDONED_FLAG,
  SLOT_EXPIRED_FLAG,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_STREAM_FLAG,
} from '../../../assembly/layout.js';
import { httpAddresses } from '../../contract/memory-map.js';
import type { SlotView } from '../../contract/slot-view.js';
import { Doorbell } from '../../core/doorbell.js';
import { Parking } from '../../core/parking.js';
import { Turn } from '../../core/turn.js';
import { WaitStrategy } from '../../core/wait-strategy.js';
import { EMPTY, type Reason } from '../answers.js';
import { Exchange, type Receiver, type RefusedRequest } from '../exchange.js';
import { learnBytes } from '../expected-bytes.js';
import type { Refusals } from '../refusals.js';
import type { Shards } from '../shards.js';

/** Turns without a completion for which the HTTP thread waits awake at the most, while answers are owed. */
const IDLE_TURNS = 50;
/** What a wait of one of several HTTP threads is worth: those that wait awake take cores from shards (docs/scaling.md). */
const WORTH_OF_SEVERAL_MS = 0.06;
/**
 * Under load, doorbells wait for a few more requests: each wake-up of a shard costs more than a turn of this loop, and on a
 * machine whose cores are all busy it takes the core from somebody who works (docs/internals.md).
 */
const GATHER_TURNS = 2;
/** Requests that are enough for a wake-up. */
const GATHER_REQUESTS = 32;
/** A slot that comes back with one of these has no response for the socket. */
const WITHOUT_RESPONSE = SLOT_EXPIRED_FLAG | SLOT_ABANDONED_FLAG | SLOT_STREAM_FLAG;
/** Outstanding requests from which on there is load. */
const LOAD = 8;

export interface CompletionEvents {
  /** A turn begins: this thread may have been woken because there is a permit that a request waits for. */
  onTurn(): void;
  /** The slot is back from its shard. */
  onReturned(exchange: Exchange): void;
  /** And nobody wants what is in it. */
  onUnwanted(exchange: Exchange): void;
  /** Its answer is a stream that goes on without it. */
  onDetached(exchange: Exchange): void;
}

/**
 * The HTTP thread's side of the rings, a turn at a time: rings the doorbells of shards that were given something, takes
 * what they have completed, hands it to the connections. Between turns the event loop serves the sockets.
 */
export class Completions {
  readonly #shards: Shards;
  readonly #exchanges: readonly Exchange[];
  readonly #parking: Parking;
  readonly #refusals: Refusals;
  readonly #events: CompletionEvents;
  /** Connections to flush at the end of the turn; those from `#touchedCount` on are of earlier turns. */
  readonly #touched: Receiver[] = [];
  #touchedCount = 0;
  #outstanding = 0;
  /** Of these, those whose answers have begun: streams, which may last. */
  #streaming = 0;
  readonly #waiting: WaitStrategy;
  /** Requests that no doorbell was rung for, and turns they have waited for company. */
  #gathered = 0;
  #postponed = 0;
  #stopped = false;
  readonly #turn = new Turn(() => this.#runTurn());

  constructor(shards: Shards, exchanges: readonly Exchange[], refusals: Refusals, events: CompletionEvents) {
    this.#shards = shards;
    this.#waiting = new WaitStrategy(IDLE_TURNS, shards.map.httpThreads > 1 ? WORTH_OF_SEVERAL_MS : undefined);
    this.#exchanges = exchanges;
    this.#refusals = refusals;
    this.#events = events;
    const doorbell = Doorbell.attach(shards.core, httpAddresses(shards.map, shards.side.http).doorbell);
    const hasWork = () => shards.side.hasCompletions();
    this.#parking = new Parking(doorbell, hasWork, () => this.#turn.run());
  }

  get lostWakeUps(): number {
    return this.#parking.lostWakeUps;
  }

  /** Answers that shards owe. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** A request was let in: an answer is owed. */
  owe(): void {
    this.#outstanding++;
  }

  /** A request was published to `shard`: the end of this turn rings for it, or of one soon after. */
  published(shard: number): void {
    // Both threads see to it themselves that they miss nothing: there is nobody to wake, and nothing to take.
    if (this.#parking.isParked && !this.#shards.side.words.isParked(shard)) return;
    this.#gathered++;
    this.#waiting.restart();
    this.schedule();
  }

  /** The answer to an outstanding request has begun, and is a stream. */
  streamBegun(): void {
    this.#streaming++;
  }

  stop(): void {
    this.#stopped = true;
    this.#parking.stop();
  }

  /** Has a turn run soon. */
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
    // Who was given something and not told would wait for ever.
    if (this.#gathered > 0 || this.#waiting.wait() || !this.#parking.park()) this.schedule();
  }

  #ring(): void {
    if (this.#gathered === 0) return;
    const worthWaiting = this.#outstanding - this.#streaming >= LOAD && this.#gathered < GATHER_REQUESTS;
    if (this.#shards.side.someSleep) {
      if (worthWaiting && this.#postponed++ < GATHER_TURNS) return;
      this.#shards.side.ringDoorbells();
    }
    this.#gathered = 0;
    this.#postponed = 0;
  }

  /** Takes every completion there is. Returns how many. */
  #reapAll(): number {
    let total = 0;
    for (let shard = 0; shard < this.#shards.map.shards; shard++) total += this.reap(shard);
    // Emptying an array costs more than counting.
    for (let i = 0; i < this.#touchedCount; i++) this.#touched[i].flush();
    this.#touchedCount = 0;
    return total;
  }

  /** Takes the completions of one shard; their connections are flushed by the next turn at the latest. */
  reap(shard: number): number {
    const { side } = this.#shards;
    const count = side.poll(shard);
    for (let i = 0; i < count; i++) this.complete(side.polled(i), shard);
    return count;
  }

  /** A slot has come back from `shard` with its response. */
  complete(slot: number, shard: number): void {
    // A slot that was not completed by this shard, or not since it was taken over, is none of its business.
    if (!this.#shards.side.takeOver(slot, shard)) return;
    const exchange = this.#exchanges[slot];
    exchange.ranOn = shard;
    const failure = this.#readResponse(exchange, shard);
    if (failure === undefined) this.#settle(exchange);
    else this.refuse(exchange, failure);
  }

  /** The HTTP thread answers in the place of a shard: the slot is back, or never went. */
  refuse(exchange: Exchange, reason: Reason): void {
    if (exchange.stream !== undefined) {
      // What has been sent cannot be taken back.
      exchange.stream.last ??= 'broken';
    } else if (exchange.connection !== undefined) {
      const answer = this.#refusals.counted(reason, this.#refused(exchange));
      exchange.bytes = answer.bytes;
      exchange.isPrivate = true;
      exchange.headBytes = answer.headBytes;
    }
    this.#settle(exchange);
  }

  /** The HTTP thread answers now, and the slot comes back later, when nobody waits for it any more. */
  refuseEarly(exchange: Exchange, reason: Reason): void {
    const { connection } = exchange;
    if (connection === undefined) return;
    const answer = this.#refusals.counted(reason, this.#refused(exchange));
    exchange.connection = undefined;
    connection.replace(exchange, Exchange.answered(connection, answer));
    this.#touch(connection);
    this.schedule();
  }

  /** Nobody waits for the request, and no shard has it. */
  drop(exchange: Exchange): void {
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

  /** Returns why there is no response, if so. */
  #readResponse(exchange: Exchange, shard: number): Reason | undefined {
    const view = this.#shards.side.views[exchange.slot];
    exchange.extent = view.responseExtent;
    if (view.has(WITHOUT_RESPONSE)) return this.#endWithoutResponse(exchange, view, shard);
    const start = view.response;
    const headBytes = view.responseHeadBytes;
    const bytes = headBytes + view.responseBodyBytes;
    learnBytes(exchange.route!, bytes);
    exchange.headBytes = headBytes;
    const before = exchange.bytes;
    // Answers of one route are often alike, and a new view costs more than this comparison.
    if (before === undefined || before.byteOffset !== start || before.length !== bytes) {
      exchange.bytes = Buffer.from(this.#shards.core.buffer as never, start, bytes);
    }
    return undefined;
  }

  /** The handler took too long, or wants its connection closed, which was said before. */
  #whyAbandoned(exchange: Exchange, shard: number): Reason | undefined {
    this.#shards.receive(shard);
    if (!exchange.isCut) return 'HANDLER_TIMEOUT';
    exchange.bytes = EMPTY;
    exchange.isPrivate = true;
    return undefined;
  }

  /** What the slot came back with is no response, or was sent before. Returns why there is none, if so. */
  #endWithoutResponse(exchange: Exchange, view: SlotView, shard: number): Reason | undefined {
    if (view.has(SLOT_EXPIRED_FLAG)) return 'QUEUE_TIMEOUT';
    if (view.has(SLOT_ABANDONED_FLAG)) return this.#whyAbandoned(exchange, shard);
    // The head was sent before the slot was given back.
    this.#shards.receive(shard);
    const { stream, connection } = exchange;
    if (stream === undefined) return 'SHARD_LOST';
    if (stream.last === undefined && connection !== undefined) this.#events.onDetached(exchange);
    return undefined;
  }
}
