import { EXTENT_CLASSES, NO_EXTENT, SLOT_NO_START, SLOT_ROUTE_PERMIT_FLAG } from '../../assembly/layout.js';
import type { HttpFigures } from '../contract/http-figures.js';
import { bySlot } from '../contract/http-side.js';
import type { BodyCredit, RequestName, RouteTable } from '../contract/messages.js';
import { ALL_METHODS, METHODS } from '../options/methods.js';
import type { HealthPaths, PriorityFunction, Shedding } from '../options/scheduling.js';
import { Admission } from './admission/admission.js';
import { Deadlines } from './admission/deadlines.js';
import { Dispatcher } from './admission/dispatcher.js';
import { Gate } from './admission/gate.js';
import { Queues } from './admission/queues.js';
import { Ranking } from './admission/ranking.js';
import { RecordWriter } from './admission/record.js';
import { RouteBodies } from './admission/route-bodies.js';
import { Rules, type SchedulingDefaults } from './admission/route-rules.js';
import { Watch } from './admission/watch.js';
import type { Reason } from './answers.js';
import { Completions } from './completion/completions.js';
import { Moderation } from './completion/moderation.js';
import { Observation } from './completion/observation.js';
import { reclaim, relieve } from './completion/reclaim.js';
import { StreamReceiver } from './completion/response-stream.js';
import { Exchange, type ExchangeOwner, REPORTED, type Receiver } from './exchange.js';
import type { RequestInHand } from './parser/request-in-hand.js';
import type { BodyRules } from './parser/request-sink.js';
import type { NotReady } from './readiness.js';
import { Refusals } from './refusals.js';
import type { RouteCounts } from './route-counts.js';
import { FixedRoutes } from './routing/fixed-routes.js';
import { Router } from './routing/router.js';
import type { Shards } from './shards.js';
import { statusOf } from './status-line.js';

export interface SchedulerOptions extends SchedulingDefaults {
  maxQueue: number;
  maxBodyBytes: number;
  shed: Required<Shedding> | undefined;
  priority: PriorityFunction | undefined;
  health: Required<HealthPaths> | undefined;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  /** Name of the header field with request ids, in lower case, if enabled. */
  requestId: string | undefined;
  /** One shard runs in this thread. */
  isLocal: boolean;
}

export interface SchedulerEvents {
  /** A slot is free. */
  onReleased(): void;
  onShedding(shard: number, shedding: boolean): void;
  /** The messages that the control thread has sent so far must be read now. */
  onUnknown(): void;
  /** The user's `priority` failed. */
  onPriorityFailure(error: unknown): void;
  readiness(): NotReady | undefined;
}

/** Handles every request from its admission to its response: whether it runs, on which shard, and how long it may take. HTTP thread. */
export class Scheduler implements ExchangeOwner {
  readonly refusals: Refusals;
  readonly #shards: Shards;
  readonly #events: SchedulerEvents;
  /** The exchange of each slot, created once. */
  readonly #exchanges: readonly Exchange[];
  readonly #rules: Rules;
  readonly #queues: Queues;
  readonly #dispatcher: Dispatcher;
  readonly #deadlines: Deadlines;
  readonly #moderation: Moderation | undefined;
  readonly #completions: Completions;
  readonly #watch: Watch;
  readonly #admission: Admission;
  readonly #streams: StreamReceiver;
  readonly #observation: Observation;
  /** Writes request records. */
  readonly records: RecordWriter;
  /** How many of ALL_METHODS, from the first one on, have routes. */
  readonly methods: number;
  /** Set if metrics are enabled. */
  readonly counts: RouteCounts | undefined;

  /** @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE */
  constructor(
    shards: Shards,
    table: RouteTable,
    counts: RouteCounts | undefined,
    options: SchedulerOptions,
    events: SchedulerEvents,
  ) {
    this.counts = counts;
    this.#shards = shards;
    this.#events = events;
    // What may fail comes first: the rest starts timers, which would keep the memory of a server that never starts.
    const router = new Router(table);
    const hasRare = table.routes.some(({ methods }) => methods.length > METHODS.length);
    this.methods = (hasRare ? ALL_METHODS : METHODS).length;
    const fixed = new FixedRoutes(table, router, options, () => events.readiness());
    this.#rules = new Rules(table, shards, options);
    this.#exchanges = bySlot(shards.side.range, (slot) => new Exchange(slot, this));
    const { status, retryAfterSeconds } = options.shed ?? { status: 503, retryAfterSeconds: 1 };
    this.refusals = new Refusals({
      status,
      retryAfterSeconds,
      keepAliveLines: options.keepAliveLines,
      templates: table.refusals,
      cors: table.cors,
      requestId: options.requestId,
    });
    this.#queues = new Queues(shards);
    this.#moderation = options.isLocal ? undefined : new Moderation(shards, this.#queues, this.#rules.areEven);
    this.#observation = new Observation(shards);
    this.#completions = new Completions(shards, this.#exchanges, this.refusals, this.#moderation, this.#observation, {
      onTurn: () => void this.#dispatcher.retryWaiting(),
      onReturned: (exchange) => this.#onReturned(exchange),
      onUnwanted: (exchange) => this.release(exchange),
      onDetached: (exchange) => this.#streams.detach(exchange, this.#dispatcher.keepPermit(exchange.slot)),
    });
    shards.events = {
      onStreamPiece: (shard, piece) => this.#streams.receive(shard, piece),
      onBodyCredit: (shard, credit) => this.#onBodyCredit(shard, credit),
      onInterim: (request, bytes) => this.#onInterim(request, bytes),
      onDestroy: (request) => this.#onDestroy(request),
      onUnknown: events.onUnknown,
    };
    this.#streams = new StreamReceiver(shards, this.#exchanges, {
      onBegun: (exchange) => {
        // The handler has met its deadline: its response has begun.
        this.#deadlines.clear(exchange.slot);
        this.#completions.streamBegun();
      },
    });
    this.#dispatcher = new Dispatcher(shards, this.#queues, {
      onPublished: (shard) => {
        this.#completions.published(shard);
        this.#watch.published();
      },
      onWaiting: () => this.#watch.waiting(),
      onFailed: (slot) => this.#giveUp(this.#exchanges[slot], 'NO_SHARD'),
      onResubmitted: (slot) => {
        // Another thread may be running the request now, and may not know.
        if (this.#dispatcher.passages[slot].isAborted) this.#abort(this.#exchanges[slot], false);
      },
    });
    this.#deadlines = new Deadlines(shards.side, {
      onPending: () => this.#watch.deadlinePending(),
      onQueueTimeout: (slot) => this.#onQueueTimeout(this.#exchanges[slot]),
      onHandlerTimeout: (slot) => this.#onHandlerTimeout(this.#exchanges[slot]),
    });
    const ranking = new Ranking(options.priority, events.onPriorityFailure);
    const hasHigh = ranking.hasHigh || this.#rules.hasHigh;
    const gate = new Gate(shards, this.#queues, { maxQueue: options.maxQueue, shed: options.shed, hasHigh });
    this.#watch = new Watch(
      shards,
      this.#exchanges,
      { queues: this.#queues, dispatcher: this.#dispatcher, gate, deadlines: this.#deadlines, steal: options.steal },
      {
        onShedding: events.onShedding,
        onGivenUp: (exchange) => this.#giveUp(exchange, 'OVERLOADED'),
      },
    );
    this.records = new RecordWriter(shards.core, shards.map, shards.side, shards.clock);
    this.#admission = new Admission(shards, this.#exchanges, {
      records: this.records,
      router,
      hasNotFound: table.hasNotFound,
      cors: table.cors,
      keepAliveLines: options.keepAliveLines,
      bodies: new RouteBodies(table, options.maxBodyBytes),
      fixed,
      rules: this.#rules,
      ranking,
      gate,
      dispatcher: this.#dispatcher,
      deadlines: this.#deadlines,
      refusals: this.refusals,
      counts,
      observation: this.#observation,
      isTaken: (name) => this.#streams.isTaken(name),
    });
  }

  /** How the body of the request is read. */
  bodyRules(request: RequestInHand): BodyRules {
    return this.#admission.bodyRules(request);
  }

  /** Routes a request and submits it, or responds immediately. */
  admit(request: RequestInHand, connection: Receiver): Exchange {
    const exchange = this.#admission.admit(request, connection);
    if (exchange.slot >= 0) this.#completions.owe();
    return exchange;
  }

  runner({ slot, ranOn }: Exchange): number {
    if (slot < 0) return -1;
    const { side } = this.#shards;
    if (side.startedAt(slot) === SLOT_NO_START) return -1;
    if (ranOn >= 0) return ranOn;
    // A stream may begin while its slot is being given back.
    return Math.max(side.heldBy(slot), side.completedBy(slot));
  }

  release(exchange: Exchange): void {
    if (exchange.slot < 0) return;
    // The exchange outlives the response, so it must not hold anything large.
    exchange.connection = undefined;
    this.#giveExtent(exchange);
    if (exchange.detachedBytes > 0) {
      this.#shards.side.figures.detachedBytes -= exchange.detachedBytes;
      exchange.detachedBytes = 0;
    }
    if (exchange.isPrivate) {
      exchange.isPrivate = false;
      exchange.bytes = undefined;
    }
    exchange.upload = undefined;
    if (exchange.stream !== undefined) {
      exchange.stream = undefined;
      exchange.bytes = undefined;
    }
    this.#shards.slots[this.#groupOf(exchange)].release(exchange.slot);
    this.#events.onReleased();
  }

  /**
   * Copies the response into private memory and gives its extent back; `false` if the copies of all HTTP threads would take more memory
   * than all extents.
   */
  detach(exchange: Exchange): boolean {
    const { length } = exchange.bytes!;
    const { map, side } = this.#shards;
    if (side.figures.detachedBytesOfAll + length > map.extentClassBytes * EXTENT_CLASSES) return false;
    try {
      exchange.bytes = Buffer.from(exchange.bytes!);
      exchange.isPrivate = true;
    } catch {
      return false;
    }
    side.figures.detachedBytes += length;
    exchange.detachedBytes = length;
    this.#giveExtent(exchange);
    return true;
  }

  #giveExtent(exchange: Exchange): void {
    if (exchange.extent !== NO_EXTENT) this.#shards.side.extents.give(exchange.extent);
    exchange.extent = NO_EXTENT;
  }

  /** The client has sent its last byte, usually because it has disconnected: tells the handler. */
  announceAbort(exchange: Exchange): void {
    if (exchange.ready) return;
    if (exchange.slot < 0) return exchange.stream?.announceAbort();
    this.#dispatcher.passages[exchange.slot].isAborted = true;
    this.#abort(exchange, false);
  }

  /** The group of the latest request in the slot. */
  #groupOf({ slot }: Exchange): number {
    return this.#dispatcher.passages[slot].rules!.group;
  }

  #abort(exchange: Exchange, isGone: boolean): void {
    const { slot, sequence } = exchange;
    const shard = this.#shards.side.startedBy(slot);
    if (shard >= 0) return this.#shards.abort(shard, slot, sequence, isGone);
    // Any of them may start it.
    const { first, count } = this.#shards.groups[this.#groupOf(exchange)];
    for (let any = first; any < first + count; any++) this.#shards.abort(any, slot, sequence, isGone);
  }

  /** The connection is closed: requests that have not started will not start. */
  abandon(exchange: Exchange): void {
    if (exchange.slot < 0) return this.#streams.abandon(exchange);
    if (exchange.ready) return this.release(exchange);
    exchange.stream?.cancel();
    if (this.#dispatcher.recall(exchange.slot)) this.#completions.drop(exchange);
    else this.#abort(exchange, true);
  }

  answeredEarly(exchange: Exchange, instead: Exchange, code: string): void {
    if (exchange.slot >= 0) return this.#observation.answeredEarly(exchange, instead, code);
    instead.observed = exchange.observed;
    exchange.observed = REPORTED;
  }

  /** A handler on `shard` reads the body of its request. */
  #onBodyCredit(shard: number, { slot, sequence, taken, spent }: BodyCredit): void {
    const { upload, connection } = this.#streams.find({ slot, sequence }) ?? {};
    if (connection === undefined || upload === undefined || upload.isOver) {
      // The client has disconnected, or got its response, before the shard could know.
      this.#shards.sendBody(shard, { slot, sequence, length: 0, last: 'broken' });
      return;
    }
    upload.onTaken(taken, spent, (piece) => this.#shards.sendBody(shard, piece));
    connection.onBodyTaken();
  }

  /** A handler sends an interim response. */
  #onInterim({ slot, sequence }: RequestName, bytes: Uint8Array): void {
    const exchange = this.#exchanges[slot];
    const { connection, upload } = exchange;
    // The client has disconnected, or got its response, before the shard could know.
    if (exchange.sequence !== sequence || connection === undefined || exchange.ready) return;
    if (statusOf(bytes) === 100) upload?.onContinued();
    exchange.interim = exchange.interim === undefined ? bytes : Buffer.concat([exchange.interim, bytes]);
    connection.flush();
  }

  /** A handler wants its connection closed. */
  #onDestroy({ slot, sequence }: RequestName): void {
    const exchange = this.#exchanges[slot];
    const { connection } = exchange;
    // The client has disconnected, or got its response, before the shard could know.
    if (exchange.sequence !== sequence || connection === undefined || exchange.ready) return;
    exchange.isCut = true;
    connection.flush();
  }

  #onReturned(exchange: Exchange): void {
    if (exchange.requestExtent !== NO_EXTENT) this.#shards.side.extents.giveOfRequest(exchange.requestExtent);
    exchange.requestExtent = NO_EXTENT;
    exchange.upload?.close();
    this.#deadlines.clear(exchange.slot);
    this.#dispatcher.returned(exchange.slot);
  }

  // ── timeouts ────────────────────────────────────────────────────────────────────────────────────────────────────

  #giveUp(exchange: Exchange, reason: Reason): void {
    this.#completions.refuse(exchange, reason);
    this.#completions.schedule();
  }

  #onQueueTimeout(exchange: Exchange): void {
    if (this.#dispatcher.recall(exchange.slot)) this.#giveUp(exchange, 'QUEUE_TIMEOUT');
  }

  #onHandlerTimeout(exchange: Exchange): void {
    const { slot, sequence } = exchange;
    const shard = this.#shards.side.heldBy(slot);
    // It has settled: this thread has not taken its response yet.
    if (shard < 0) return;
    this.#completions.refuseEarly(exchange, 'HANDLER_TIMEOUT');
    this.#shards.abandon(shard, slot, sequence);
  }

  // ── shards that end ─────────────────────────────────────────────────────────────────────────────────────────────

  /** A thread is about to run a shard. With several HTTP threads, it may have completed stolen requests already. */
  onShardAttached(): void {
    this.#completions.schedule();
  }

  /** The shard's thread has exited: its requests get responses or are passed on. */
  onShardLost(shard: number): void {
    reclaim(shard, this.#reclaimers);
    this.#streams.breakOff(shard);
  }

  /** The shard's thread cannot be stopped, and keeps its slots until it ends: its requests get responses now. */
  onShardUnstoppable(shard: number): void {
    const { side } = this.#shards;
    for (let slot = side.range.first; slot < side.range.end; slot++) {
      if (side.heldBy(slot) === shard) this.#completions.loseEarly(this.#exchanges[slot]);
    }
    this.#streams.breakOff(shard);
  }

  /** The shard accepts no requests now: those that are queued for it go to others. */
  onShardUnavailable(shard: number, state: 'stuck' | 'draining'): void {
    relieve(shard, state === 'stuck', this.#reclaimers);
  }

  /** The shard accepts requests, including those that are queued for others of its group. */
  onShardReady(shard: number): void {
    const { ready } = this.#shards.load;
    const { first, count } = this.#shards.groupOf(shard);
    for (let other = first; other < first + count; other++) {
      if (ready[other] === 0) relieve(other, false, this.#reclaimers);
    }
  }

  /** No thread has replaced the shard's last one: requests that wait for it go to others, or are rejected. */
  onShardMissing(shard: number): void {
    relieve(shard, true, this.#reclaimers);
  }

  get #reclaimers() {
    return {
      side: this.#shards.side,
      exchanges: this.#exchanges,
      completions: this.#completions,
      dispatcher: this.#dispatcher,
    };
  }

  // ── requests of a previous HTTP thread ──────────────────────────────────────────────────────────────────────────

  /** Adopts the request of a slot that a shard has started for the previous thread. Its client has disconnected. */
  adopt(slot: number): void {
    const { side, load } = this.#shards;
    const view = side.views[slot];
    const shard = Math.max(side.startedBy(slot), side.completedBy(slot));
    const rules = this.#rules.of(view.route);
    this.#exchanges[slot].adopt(rules, view.sequence, side.extents.adoptOfRequest(view.record));
    const passage = this.#dispatcher.passages[slot];
    passage.reset(rules, rules.rank, this.#shards.clock.nowUs());
    passage.permitted = view.has(SLOT_ROUTE_PERMIT_FLAG);
    passage.shard = shard;
    load.submitted(shard);
    if (rules.handlerTimeoutUs > 0) this.#deadlines.set(slot, 0, rules.handlerTimeoutUs);
    this.#completions.owe();
    this.#completions.schedule();
  }

  // ── limits and figures ──────────────────────────────────────────────────────────────────────────────────────────

  /** Number of requests that wait for a permit, by limited route. */
  waiting(): number[] {
    return [...this.#rules.limited.values()].map(({ waiting }) => waiting.size);
  }

  /** Permits of routes may have become free. */
  permitsChanged(): void {
    this.#dispatcher.retryWaiting();
  }

  /** Number of requests submitted to shards and not given back. */
  get outstanding(): number {
    return this.#completions.outstanding;
  }

  /** Number of requests of this HTTP thread in the rings of `shard`. */
  queued(shard: number): number {
    return this.#queues.lookAtOwn(shard);
  }

  /** How long the oldest request of this HTTP thread has waited in the rings of each shard, in microseconds. */
  waits(): number[] {
    return this.#watch.waits();
  }

  /** New requests go to `next`. */
  hand(next: Scheduler): void {
    this.#moderation?.end();
    next.figures.continueFrom(this.figures);
  }

  /** A connection was accepted. */
  accepted(): void {
    this.#moderation?.accepted();
    this.#completions.accepted();
  }

  /** How often the thread has paused because all shards were busy. */
  get pauses(): number {
    return this.#moderation?.pauses ?? 0;
  }

  /** Whether no request that it has admitted, except upgraded connections, or that has an extent for its record, is in progress. */
  get isDrained(): boolean {
    return this.outstanding === 0 && this.#streams.count === 0 && this.figures.ownRequestExtents === 0;
  }

  get lostWakeUps(): number {
    return this.#completions.lostWakeUps;
  }

  /** What this thread publishes for the other HTTP threads. */
  get figures(): HttpFigures {
    return this.#shards.side.figures;
  }

  /** Whether requests of other HTTP threads, or responses, wait for extents. */
  get isPressed(): boolean {
    if (this.figures.areOthersPressed) return true;
    const { side, map } = this.#shards;
    for (let shard = 0; shard < map.shards; shard++) if (side.words.counters(shard).extentWaiting > 0) return true;
    return false;
  }

  /** Tells the shards what became of responses, without waiting for more. */
  report(): void {
    this.#observation.flush();
  }

  /** All threads of its shards have ended, and all slots are back: passes the last responses to their connections, and stops. */
  finish(): void {
    this.#completions.finish();
    this.#watch.stop();
  }

  stop(): void {
    this.#completions.stop();
    this.#watch.stop();
  }
}
