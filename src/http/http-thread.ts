import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { httpAddresses } from '../contract/memory-map.js';
import type { RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import { Roster } from '../core/roster.js';
import type { Listening } from '../options/listening.js';
import type { Reason } from './answers.js';
import type { AccessLog } from './completion/access-log.js';
import type { Exchange, ResponseCounter } from './exchange.js';
import { HttpCounts } from './http-counts.js';
import type { HeadLimits } from './parser/head-index.js';
import type { RecordRoom } from './parser/large-record.js';
import { Parsers } from './parser/llhttp.js';
import type { RequestInHand } from './parser/request-in-hand.js';
import type { BodyRules } from './parser/request-sink.js';
import type { Refusals } from './refusals.js';
import type { Revision } from './revision.js';
import { RouteCounts } from './route-counts.js';
import { Scheduler, type SchedulerEvents, type SchedulerOptions } from './scheduler.js';
import type { Shards } from './shards.js';
import { Connection } from './socket/connection.js';
import type { ConnectionHost, ConnectionLimits } from './socket/host.js';
import { InnerListener, Listener, type Listens } from './socket/listen.js';
import { Schedule, type Timeouts } from './socket/patience.js';
import { type Accepted, dismiss } from './socket/socket.js';
import type { Upgrades } from './socket/upgrade.js';

/** How often requests that wait for an extent try again. */
const RETRY_MS = 2;

export interface HttpThreadOptions extends SchedulerOptions, ConnectionLimits, Timeouts, HeadLimits {
  listening: Listening;
  maxConnections: number;
  /** Where this thread counts, by `createHttpCounts`, if metrics are enabled. */
  counts: SharedArrayBuffer | undefined;
}

export interface HttpThreadEvents extends Omit<SchedulerEvents, 'onReleased' | 'readiness' | 'onShedding'> {
  onShedding(revision: number, shard: number, shedding: boolean): void;
  onAcceptError(error: Error): void;
  /** Something failed for one client, and its connection was closed. */
  onConnectionFailure(error: unknown): void;
  /** The upgrade listener threw. */
  onUpgradeError(error: unknown): void;
}

/** Fraction of the time until the drain in which connections are told; the rest is for the last responses. */
const LEAVING_SHARE = 3 / 4;
const LEAVING_STEPS = 100;
const LEAVING_STEP_MS = 10;
/** Minimum interval between reports of failed connections. */
const FAILURE_INTERVAL_MS = 1_000;

/** The routes of an app, and where an HTTP thread counts responses by route. */
export interface CountedRoutes {
  table: RouteTable;
  /** By `createRouteCounts`, if metrics are enabled. */
  memory: SharedArrayBuffer | undefined;
}

/** Figures that are counted from the start of the server. */
interface Sums {
  lostWakeUps: number;
  pauses: number;
  refused: Partial<Record<Reason, number>>;
}

function sumsOf({ lostWakeUps, pauses, refusals }: Scheduler): Sums {
  return { lostWakeUps, pauses, refused: refusals.counts };
}

function added(a: Sums, b: Sums): Sums {
  const refused = { ...a.refused };
  for (const [reason, count] of Object.entries(b.refused) as [Reason, number][]) {
    refused[reason] = (refused[reason] ?? 0) + count;
  }
  return { lostWakeUps: a.lostWakeUps + b.lostWakeUps, pauses: a.pauses + b.pauses, refused };
}

/** Everything between the sockets and the rings. Runs no user code except `priority`, the listener of upgrades, and TLS callbacks. */
export class HttpThread implements ConnectionHost<Connection> {
  readonly core: CoreMemory;
  readonly parsers: Parsers;
  readonly limits: ConnectionLimits;
  readonly accessLog: AccessLog | undefined;
  readonly counts: HttpCounts | undefined;
  readonly isSecure: boolean;
  upgrades: Upgrades | undefined;
  draining = false;
  readonly #options: HttpThreadOptions;
  readonly #events: HttpThreadEvents;
  /** Admits new requests. */
  #current: Scheduler | undefined;
  /** Those of all revisions: one before a reload finishes the requests that it has admitted, one after it may be about to get some. */
  readonly #schedulers = new Set<Scheduler>();
  /** Figures of schedulers that have ended. */
  #past: Sums = { lostWakeUps: 0, pauses: 0, refused: {} };
  readonly #connections = new Roster<Connection>();
  /** How many of them shards have taken over. */
  #upgraded = 0;
  readonly #listener: Listens;
  #watch: NodeJS.Timeout | undefined;
  /** Connections with a request that waits for an extent. */
  readonly #waiting = new Set<Connection>();
  #retries: NodeJS.Timeout | undefined;
  /** Set while connections are being told, one after the other, that the server is closing. */
  #leaving: NodeJS.Timeout | undefined;
  #connectionsRefused = 0;
  #failureToldAt = Number.NEGATIVE_INFINITY;
  #onDrained: (() => void) | undefined;

  /** @param shards their memory keeps the head index of the parsers */
  constructor(
    { core, map, side }: Shards,
    options: HttpThreadOptions,
    accessLog: AccessLog | undefined,
    events: HttpThreadEvents,
  ) {
    this.core = core;
    this.parsers = new Parsers(core, httpAddresses(map, side.http).headIndex, options);
    this.limits = options;
    this.isSecure = options.listening.tls !== undefined;
    this.accessLog = accessLog;
    this.#options = options;
    this.#events = events;
    this.counts = options.counts && new HttpCounts(options.counts);
    const { listening } = options;
    const onConnection = (accepted: Accepted) => this.#onConnection(accepted);
    this.#listener =
      listening.source === undefined
        ? new Listener(listening, options, onConnection)
        : new InnerListener(listening.source, onConnection);
  }

  /**
   * Prepares for requests of a revision.
   * @param routes on which its shards agree
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  prepare(revision: Revision, { table, memory }: CountedRoutes): Scheduler {
    const { number, shards, readiness } = revision;
    const counts = memory && new RouteCounts(memory, table, this.#options.health);
    const scheduler = new Scheduler(shards, table, counts, this.#options, {
      ...this.#events,
      onShedding: (shard, shedding) => this.#events.onShedding(number, shard, shedding),
      readiness: () => readiness.whyNot(),
      onReleased: () => {
        if (this.draining) this.#checkDrained();
      },
    });
    revision.scheduler = scheduler;
    this.#schedulers.add(scheduler);
    this.#publishConnections();
    this.#notePressure();
    return scheduler;
  }

  /** Passes new requests to `next`; those that were admitted stay with their schedulers. */
  switchTo(next: Scheduler): void {
    this.#current?.hand(next);
    this.#current = next;
  }

  get scheduler(): Scheduler {
    return this.#current!;
  }

  /** All threads of its shards have ended. It gets no new requests. */
  forget(scheduler: Scheduler): void {
    scheduler.finish();
    this.#schedulers.delete(scheduler);
    this.#addPast(scheduler);
    for (const connection of this.#connections) connection.leaveRoom(scheduler.records);
    this.#checkDrained();
  }

  /**
   * Starts listening.
   * @param port instead of the port in the options
   * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
   */
  async listen(port?: number): Promise<void> {
    await this.#listener.listen(this.#events.onAcceptError, port);
    this.#watchConnections();
  }

  /** The listening address; `port` is 0 and `family` `Unix` for a Unix socket. */
  address(): AddressInfo {
    const address = this.#listener.address();
    if (address !== null && typeof address === 'object') return address;
    return { address: address ?? '', family: 'Unix', port: 0 };
  }

  /** @param options checked; the server uses TLS */
  setSecureContext(options: SecureContextOptions): void {
    this.#listener.setSecureContext(options);
  }

  /** Starts the one interval that checks all timeouts. */
  #watchConnections(): void {
    const { intervalMs, looks, looksUnderPressure } = new Schedule(this.#options);
    const watch = () => {
      const limits = this.isPressed ? looksUnderPressure : looks;
      for (const connection of this.#connections) connection.watch(limits);
    };
    this.#watch = setInterval(watch, intervalMs).unref();
  }

  #onConnection(accepted: Accepted): void {
    const { connectionsOfOthers } = this.scheduler.figures;
    const isFull = this.#connections.size + connectionsOfOthers >= this.#options.maxConnections;
    if (isFull) this.#connectionsRefused++;
    if (isFull || this.draining) {
      dismiss(accepted);
      return;
    }
    try {
      const connection = new Connection(this, accepted);
      this.#connections.add(connection);
      this.scheduler.accepted();
      this.counts?.accepted();
      this.#publishConnections();
      if (this.#leaving !== undefined) connection.leave();
    } catch (error) {
      // For instance, no memory for another thousand parsers.
      this.#connectionsRefused++;
      dismiss(accepted);
      this.onConnectionFailure(error);
    }
  }

  /** Tells the other HTTP threads, which may not have switched to the same revision yet. */
  #publishConnections(): void {
    for (const { figures } of this.#schedulers) figures.connections = this.#connections.size;
  }

  // ── what connections need ───────────────────────────────────────────────────────────────────────────────────────

  admit(request: RequestInHand, connection: Connection): Exchange {
    return this.#schedulerOf(request).admit(request, connection);
  }

  /** A request whose record lies in shared memory already stays with the shards that have this memory. */
  #schedulerOf({ room }: RequestInHand): Scheduler {
    if (room === undefined || room === this.scheduler.records) return this.scheduler;
    return [...this.#schedulers].find(({ records }) => records === room) ?? this.scheduler;
  }

  get refusals(): Refusals {
    return this.scheduler.refusals;
  }

  get unparsed(): ResponseCounter | undefined {
    return this.scheduler.counts?.unparsed;
  }

  get records(): RecordRoom {
    return this.scheduler.records;
  }

  get methods(): number {
    return this.scheduler.methods;
  }

  bodyRules(request: RequestInHand): BodyRules {
    return this.scheduler.bodyRules(request);
  }

  get isPressed(): boolean {
    if (this.#waiting.size > 0) return true;
    for (const scheduler of this.#schedulers) if (scheduler.isPressed) return true;
    return false;
  }

  onConnectionFailure(error: unknown): void {
    const now = performance.now();
    // A failure that affects one client may affect thousands.
    if (now - this.#failureToldAt < FAILURE_INTERVAL_MS) return;
    this.#failureToldAt = now;
    this.#events.onConnectionFailure(error);
  }

  onUpgradeError(error: unknown): void {
    this.#events.onUpgradeError(error);
  }

  waitForRoom(connection: Connection): void {
    this.#waiting.add(connection);
    this.#notePressure();
    this.#retries ??= setInterval(() => this.#retry(), RETRY_MS).unref();
  }

  #notePressure(): void {
    for (const { figures } of this.#schedulers) figures.pressed = this.#waiting.size;
  }

  /** Polls for free extents, because shards give extents back without a notification. */
  #retry(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const connection of waiting) connection.onRoom();
    this.#notePressure();
    if (this.#waiting.size > 0) return;
    clearInterval(this.#retries);
    this.#retries = undefined;
  }

  onUpgraded(): void {
    this.#upgraded++;
    this.#checkDrained();
  }

  onConnectionClosed(connection: Connection): void {
    if (this.#waiting.delete(connection)) this.#notePressure();
    this.#connections.delete(connection);
    if (connection.isUpgraded) this.#upgraded--;
    this.#publishConnections();
    this.#checkDrained();
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes each connection close after its next response, which says so. Connections are told one after the other over three quarters of
   * `ms`, so that their clients do not all reconnect to the remaining servers at once. New connections are told from the start.
   */
  leave(ms: number): void {
    const connections = [...this.#connections];
    const begin = performance.now();
    let told = 0;
    const tell = () => {
      const share = Math.min(1, (performance.now() - begin) / (ms * LEAVING_SHARE));
      while (told < share * connections.length) connections[told++].leave();
    };
    this.#leaving = setInterval(tell, Math.max(LEAVING_STEP_MS, ms / LEAVING_STEPS)).unref();
  }

  /**
   * Stops accepting connections. Resolves when every response is sent and every connection is closed, except those that shards have taken
   * over.
   */
  drain(): Promise<void> {
    this.draining = true;
    clearInterval(this.#leaving);
    this.#listener.close();
    for (const connection of this.#connections) connection.drain();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#checkDrained();
    });
  }

  #checkDrained(): void {
    if (!this.draining || this.outstanding > 0) return;
    if (this.#connections.size === 0) clearInterval(this.#watch);
    if (this.#connections.size !== this.#upgraded) return;
    for (const scheduler of this.#schedulers) scheduler.report();
    this.#onDrained?.();
  }

  /** Stops all activity of the schedulers. */
  stop(): void {
    for (const scheduler of this.#schedulers) scheduler.stop();
  }

  destroy(): void {
    this.draining = true;
    this.stop();
    clearInterval(this.#watch);
    clearInterval(this.#retries);
    clearInterval(this.#leaving);
    this.#listener.destroy();
    for (const connection of this.#connections) connection.destroy();
    this.#onDrained?.();
  }

  /** Number of requests submitted to shards and not given back, including those before a reload. */
  get outstanding(): number {
    let sum = 0;
    for (const { outstanding } of this.#schedulers) sum += outstanding;
    return sum;
  }

  /** Figures since the start, over all reloads. */
  get sums(): Sums {
    return [...this.#schedulers].map(sumsOf).reduce(added, this.#past);
  }

  #addPast(scheduler: Scheduler): void {
    this.#past = added(this.#past, sumsOf(scheduler));
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Number of connections closed immediately because the limit was reached. */
  get connectionsRefused(): number {
    return this.#connectionsRefused + this.#listener.refused;
  }
}
