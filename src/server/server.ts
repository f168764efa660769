import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { toError } from '../contract/describe.js';
import { sumHttpFigures } from '../contract/http-figures.js';
import { createServerMemory, type MemoryMap, routePermitsAddress } from '../contract/memory-map.js';
import type { FailureReport } from '../contract/messages.js';
import { createRoutePermits, limitedRoutes, routeName } from '../contract/route-permits.js';
import { runApart } from '../core/apart.js';
import { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import { Semaphore } from '../core/semaphore.js';
import { LoopShardError } from '../errors.js';
import type { Reason } from '../http/answers.js';
import type { HttpFailure, HttpStats } from '../http/http-control.js';
import { type UpgradeListener, type UpgradeOptions, Upgrades } from '../http/socket/upgrade.js';
import { Subject } from '../options/checks.js';
import { checkSecureContext } from '../options/listening.js';
import type { Logger } from '../options/logger.js';
import type { ResolvedOptions } from '../options/options.js';
import { type Group, MAX_PERMITS } from '../options/scheduling.js';
import { CIRCUIT_TEXT, type ShardState, type ThreadEnd } from '../pool/shard-life.js';
import { ShardPool } from '../pool/shard-pool.js';
import type { StartThread } from '../pool/shard-thread.js';
import { CallingThread, type HttpThreads } from './http-threads.js';
import { HttpWorkers } from './http-workers.js';
import { removeOnExit, removeStaleSocket } from './socket-file.js';
import type { ServerState, ServerStats } from './stats.js';

/** The permits that `setPermits` changes: those of one shard, of each shard of a group, or of a route with `maxConcurrency`. */
export type PermitHolder = { shard: number } | { group: string } | { route: string };

/** Events emitted by a running server. */
export interface ServerEvents {
  state: [state: ServerState];
  shard: [change: { shard: number; group: string; state: ShardState }];
  /** A shard has started or stopped rejecting requests because queued ones have waited too long. */
  shedding: [change: { shard: number; group: string; shedding: boolean }];
  /** A group has had no free permit and no settled handler for `recovery.stalledAfterMs`, or has a free permit again. */
  stalled: [change: { group: string; stalled: boolean }];
}

/** A running server. */
export interface Server extends EventEmitter<ServerEvents> {
  readonly state: ServerState;
  /** The address on which every HTTP thread listens. For a Unix socket `address` is its path, `family` is `Unix` and `port` 0. */
  address(): AddressInfo;
  /**
   * Sets the keys and certificates for new connections; open connections keep theirs.
   * @param options as for `tls.createSecureContext`
   * @throws LoopShardError OPTION_INVALID for a server without TLS, TLS_INVALID
   */
  setSecureContext(options: SecureContextOptions): void;
  /**
   * Sets the listener for connections whose clients offer one of `options.protocols` (RFC 9110 section 7.8; default: WebSocket).
   * Other offers, and requests with a body, are handled as plain HTTP. One listener at a time; `undefined` removes it. It runs on the
   * HTTP thread: keep it short. `ws` with `noServer: true` can serve as one (examples/websocket). An error that it throws or rejects with
   * closes its connection and is logged.
   * @throws LoopShardError OPTION_INVALID; also with several HTTP threads, which take their listener from `httpModule`
   */
  onUpgrade(listener: UpgradeListener | undefined, options?: UpgradeOptions): void;
  /**
   * Returns the current figures. With several HTTP threads it asks all of them and blocks until they have replied: usually less than a
   * millisecond, at most half a second; threads that take longer are left out.
   */
  stats(): ServerStats;
  /**
   * Changes how many handlers may be in flight; running handlers are not affected.
   * @param permits 1 to 65,536
   * @param of default: every shard; a route is named by method and pattern, such as `GET /report`
   * @throws LoopShardError OPTION_INVALID
   */
  setPermits(permits: number, of?: PermitHolder): void;
  /**
   * Drains: stops accepting connections, finishes requests in flight with `connection: close`, and ends the shards in order.
   * At the end of `timeouts.closeTimeoutMs` it closes the remaining connections, upgraded ones included, and terminates shards that have not
   * ended. A tenth of the part above 250 ms, at most 500 ms, is reserved for ending the shards. Calling it again returns the same promise.
   */
  close(): Promise<void>;
  /** Ends everything immediately, dropping requests in flight. */
  destroy(): Promise<void>;
}

/** Milliseconds of `timeouts.closeTimeoutMs` that are reserved for requests. */
const REQUESTS_MS = 250;
/** Fraction of the rest that is reserved for shards to end if requests have not finished by then, and its maximum in milliseconds. */
const SHARDS_END_PART = 0.1;
const SHARDS_END_MS = 500;

const HTTP_FAILURES: Record<HttpFailure, string> = {
  connection: 'a connection failed and was closed',
  upgrade: 'the listener of onUpgrade threw',
  accept: 'a connection could not be accepted',
  priority: 'the option `priority` failed; such requests get priority `normal`',
};

export class RunningServer extends EventEmitter<ServerEvents> implements Server {
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #http: HttpThreads;
  readonly #pool: ShardPool;
  /** Shards that are shedding load. */
  readonly #shedding = new Set<number>();
  #state: ServerState = 'starting';
  #routeCount = 0;
  #closed: Promise<void> | undefined;
  #saidSignals = false;
  #endDelay: (() => void) | undefined;
  /** Cancels the removal of the Unix socket's file at exit. */
  #forgetFile: (() => void) | undefined;
  /** Routes with `maxConcurrency`, such as `GET /report`, and their permits. */
  #limited = new Map<string, Semaphore>();

  /**
   * @param module URL
   * @param startThread starts a shard if it is not to run on a worker thread
   */
  constructor(module: string, options: ResolvedOptions, logger: Logger, startThread?: StartThread) {
    super();
    this.#options = options;
    this.#logger = logger;
    const { groups, permits, httpThreads } = options;
    const shards = groups.reduce((sum, { count }) => sum + count, 0);
    const { core, map } = createServerMemory({ ...options, shards, permits: permits.initial });
    this.#core = core;
    this.#map = map;
    const { epochMs } = new Clock();
    const events = {
      onShedding: (shard: number, shedding: boolean) => this.#onShedding(shard, shedding),
      onFailure: (what: HttpFailure, error: unknown) => this.#logger.error({ err: error }, HTTP_FAILURES[what]),
      log: logger,
    };
    this.#http =
      httpThreads === 1
        ? new CallingThread(core, map, options, epochMs, { ...events, onUnknown: () => {} })
        : new HttpWorkers(core, map, options, epochMs, {
            ...events,
            onHttpThreadEnded: (http, error, nextMs) =>
              this.#logger.error({ http, err: error, nextMs }, `${error.message} Its connections were closed.`),
            onHttpThreadRestarted: (http) => this.#logger.info({ http }, `HTTP thread ${http} is listening again`),
            tellGone: (http, requests) => this.#pool.tellGone(http, requests),
            connectHttp: (http) => this.#pool.connectHttp(http),
          });
    this.#pool = new ShardPool(
      core,
      map,
      { ...options, module, epochMs, startThread },
      {
        onShardSpawned: (shard, requests) => this.#http.attach(shard, requests),
        onShardEnded: (shard, end, nextMs) => this.#onShardEnded(shard, end, nextMs),
        onShardMissing: (shard) => this.#http.tell({ type: 'missing', shard }),
        onShardRestarted: (shard) => this.#logger.info({ shard }, `shard ${shard} is running again`),
        onShardState: (shard, state, isReplaced) => this.#onShardState(shard, state, isReplaced),
        onShardCrowded: (shard, abandoned) => this.#onShardCrowded(shard, abandoned),
        onStreamsFull: (shard) => this.#onStreamsFull(shard),
        onStalled: (group, stalled) => this.#onStalled(group, stalled),
        onFailure: (shard, report) => this.#onFailure(shard, report),
        onSignalListener: (signal) => this.#onSignalListener(signal),
      },
    );
  }

  get state(): ServerState {
    return this.#state;
  }

  #become(state: ServerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell('state', state);
  }

  /** Emits an event. Listeners are user code: what they throw is logged. */
  #tell<Name extends keyof ServerEvents>(name: Name, ...args: ServerEvents[Name]): void {
    try {
      runApart(() => (this.emit as (name: string, ...args: unknown[]) => boolean)(name, ...args));
    } catch (error) {
      this.#logger.error({ err: error }, `a listener of the event \`${name}\` threw`);
    }
  }

  async start(): Promise<void> {
    try {
      await this.#http.start();
      const [table] = await Promise.all([this.#pool.start(), this.#http.loaded()]);
      createRoutePermits(this.#core, this.#map, table);
      this.#routeCount = table.routes.length;
      for (const [index, route] of limitedRoutes(table).entries()) {
        const permits = Semaphore.attach(this.#core, routePermitsAddress(this.#map, index));
        this.#limited.set(routeName(route), permits);
      }
      await this.#http.begin(table);
      const { path } = this.#options.listening.target;
      const isFile = path !== undefined && process.platform !== 'win32' && !path.startsWith('\0');
      if (isFile) await removeStaleSocket(path);
      await this.#http.listen();
      if (isFile) this.#forgetFile = removeOnExit(path);
      this.#become('ready');
    } catch (error) {
      this.#become('failed');
      this.#http.tell({ type: 'destroy' });
      await Promise.all([this.#pool.destroy(), this.#http.end()]);
      throw error;
    }
  }

  address(): AddressInfo {
    return this.#http.addresses[0];
  }

  /** The address of each HTTP thread. */
  get addresses(): readonly AddressInfo[] {
    return this.#http.addresses;
  }

  setSecureContext(options: SecureContextOptions): void {
    if (this.#options.listening.tls === undefined) {
      throw new LoopShardError(
        'OPTION_INVALID',
        'Cannot set certificates: the server was started without the option `tls`.',
      );
    }
    checkSecureContext(options);
    this.#http.tell({ type: 'secureContext', options });
  }

  onUpgrade(listener: UpgradeListener | undefined, options: UpgradeOptions = {}): void {
    this.#http.setUpgrades(listener && new Upgrades(listener, options));
  }

  // ── figures and limits ──────────────────────────────────────────────────────────────────────────────────────────

  stats(): ServerStats {
    const http = this.#http.stats();
    const { permits } = this.#options;
    const sum = (of: (one: HttpStats) => number) => http.reduce((total, one) => total + of(one), 0);
    const refused: ServerStats['refused'] = {};
    for (const [reason, count] of http.flatMap((one) => Object.entries(one.refused) as [Reason, number][])) {
      refused[reason] = (refused[reason] ?? 0) + count;
    }
    return {
      state: this.#state,
      httpThreads: http.length,
      connections: sum(({ connections }) => connections),
      connectionsRefused: sum(({ connectionsRefused }) => connectionsRefused),
      outstanding: sum(({ owed }) => owed),
      slots: { free: sum(({ freeSlots }) => freeSlots), total: this.#map.slots },
      extents: this.#pool.extents(),
      lostWakeUps: sum(({ lostWakeUps }) => lostWakeUps),
      pauses: sum(({ pauses }) => pauses),
      refused,
      shards: this.#pool.stats().map(({ shortMeanUs, longMeanUs, ...one }) => ({
        ...one,
        outstanding: sum(({ outstanding }) => outstanding[one.shard]),
        queued: sum(({ queued }) => queued[one.shard]),
        queueAgeMs: Math.max(0, ...http.map(({ waitsUs }) => waitsUs[one.shard])) / 1_000,
        limiter: permits.adaptive && { ...permits.adaptive, shortMeanUs, longMeanUs },
        shedding: this.#shedding.has(one.shard),
      })),
      routeCount: this.#routeCount,
      routes: [...this.#limited].map(([route, { available, limit }], index) => ({
        route,
        permits: { available, limit },
        waiting: sum(({ waiting }) => waiting[index]),
      })),
    };
  }

  setPermits(permits: number, of?: PermitHolder): void {
    const subject = new Subject('OPTION_INVALID');
    subject.integer('permits', permits, 1, MAX_PERMITS);
    if (of !== undefined && 'route' in of) {
      const ofRoute = this.#limited.get(of.route);
      if (ofRoute === undefined)
        throw subject.wrong(`Cannot set permits of route \`${of.route}\`: it was defined without \`maxConcurrency\`.`);
      ofRoute.setLimit(permits);
      return this.#http.tell({ type: 'permits' });
    }
    if (this.#options.permits.adaptive !== undefined) {
      throw subject.wrong(
        'Cannot set permits: the limiter sets adaptive permits. Start the server with a number for `scheduling.permits`.',
      );
    }
    for (const shard of this.#holders(of, subject)) this.#pool.setPermits(shard, permits);
  }

  #holders(of: { shard: number } | { group: string } | undefined, subject: Subject): number[] {
    const { shards } = this.#map;
    if (of !== undefined && 'shard' in of) return [subject.integer('shard', of.shard, 0, shards - 1)];
    if (of === undefined) return Array.from({ length: shards }, (_, shard) => shard);
    const names = this.#options.groups.map(({ name }) => name);
    const { first, count } = this.#options.groups[names.indexOf(subject.oneOf('group', of.group, names))];
    return Array.from({ length: count }, (_, i) => first + i);
  }

  // ── events of shards ────────────────────────────────────────────────────────────────────────────────────────────

  #onStalled({ name }: Group, stalled: boolean): void {
    const { stalledAfterMs } = this.#options;
    const message = stalled
      ? `group ${name} is stalled: all its permits are taken, and no handler has settled for ${stalledAfterMs} ms; set \`timeouts.handlerTimeoutMs\` to time out handlers that hang`
      : `group ${name} is no longer stalled`;
    this.#logger.warn({ group: name, stalled }, message);
    this.#http.tell({ type: 'stalled', group: name, stalled });
    this.#tell('stalled', { group: name, stalled });
  }

  #onShedding(shard: number, shedding: boolean): void {
    if (shedding) this.#shedding.add(shard);
    else this.#shedding.delete(shard);
    this.#http.tell({ type: 'shedding', shard, shedding });
    const what = shedding ? 'is shedding load: queued requests have waited too long' : 'is no longer shedding load';
    this.#logger.warn({ shard, shedding }, `shard ${shard} ${what}`);
    this.#tell('shedding', { shard, group: this.#pool.groupOf(shard).name, shedding });
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async #drain(): Promise<void> {
    this.#become('draining');
    const { drainDelayMs, closeTimeoutMs } = this.#options;
    if (drainDelayMs > 0) {
      this.#http.tell({ type: 'leave', ms: drainDelayMs });
      await this.#delay(drainDelayMs);
    }
    if (this.#isClosed()) return;
    this.#pool.drain();
    const deadline = performance.now() + closeTimeoutMs;
    const beyondMs = Math.max(0, closeTimeoutMs - REQUESTS_MS);
    const reserveMs = Math.min(SHARDS_END_MS, beyondMs * SHARDS_END_PART);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, closeTimeoutMs - reserveMs, 'late');
    });
    const outcome = await Promise.race([this.#http.drain(), late]);
    clearTimeout(timer);
    if (this.#isClosed()) return;
    if (outcome === 'late') {
      const { connections, outstanding } = sumHttpFigures(this.#core, this.#map);
      this.#logger.warn(
        { outstanding, connections },
        `not drained within ${closeTimeoutMs} ms; dropping the remaining requests`,
      );
      this.#http.tell({ type: 'destroy' });
    }
    this.#http.tell({ type: 'stop' });
    this.#forgetFile?.();
    this.#reportLeft(await this.#pool.close(deadline));
    await this.#http.end();
    this.#become('closed');
  }

  #reportLeft(shards: readonly number[]): void {
    for (const shard of shards) {
      this.#logger.error(
        { shard },
        `shard ${shard} is in native code that cannot be stopped; its thread ends when that code returns`,
      );
    }
  }

  /** Resolves early if the server is destroyed meanwhile. */
  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endDelay = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async destroy(): Promise<void> {
    this.#become('closed');
    this.#closed ??= Promise.resolve();
    this.#endDelay?.();
    this.#http.tell({ type: 'destroy' });
    this.#forgetFile?.();
    this.#reportLeft(await this.#pool.destroy());
    await this.#http.end();
  }

  // ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onShardEnded(
    shard: number,
    { error, wasReady, wasAsked }: ThreadEnd,
    nextMs: number | undefined,
  ): Promise<void> | undefined {
    const takenBack = this.#http.takeBack(shard);
    if (this.#state === 'starting') return takenBack;
    const what = wasReady ? 'ended unexpectedly' : 'failed to start again';
    if (!wasAsked) this.#logger.error({ shard, err: error }, `shard ${shard} ${what}: ${error.message}`);
    if (nextMs !== undefined && this.#pool.isCircuitOpen(shard)) {
      const { maxRestarts } = this.#options;
      this.#logger.error(
        { shard, nextMs },
        `the circuit of shard ${shard} is open after more than ${maxRestarts} restarts within ${CIRCUIT_TEXT}; it is now restarted once every ${CIRCUIT_TEXT}`,
      );
    }
    return takenBack;
  }

  #onShardState(shard: number, state: ShardState, isReplaced: boolean): void {
    if (state === 'stuck' && this.#state === 'ready') {
      const { stuckAfterMs } = this.#options;
      this.#logger.error({ shard }, `shard ${shard} is stuck: its event loop has been blocked for ${stuckAfterMs} ms`);
    }
    this.#http.tell({ type: 'state', shard, state, isReplaced });
    this.#tell('shard', { shard, group: this.#pool.groupOf(shard).name, state });
  }

  #onShardCrowded(shard: number, abandoned: number): void {
    this.#logger.error(
      { shard, abandoned },
      `shard ${shard} is being replaced: ${abandoned} abandoned handlers have not settled (\`recovery.maxAbandoned\`)`,
    );
  }

  #onStreamsFull(shard: number): void {
    const { maxStreams } = this.#options;
    this.#logger.warn(
      { shard, maxStreams },
      `shard ${shard} is streaming ${maxStreams} responses; further ones get 503 (\`limits.maxStreams\`)`,
    );
  }

  /** Warns once: every thread of every shard loads the same module. */
  #onSignalListener(signal: string): void {
    if (this.#saidSignals) return;
    this.#saidSignals = true;
    this.#logger.warn(
      { signal },
      `the app listens for ${signal} on shards, which never receive signals. Use process.on('beforeExit', …) there: it is called when a shard ends in order, and may return a promise. Or listen in the main module.`,
    );
  }

  #onFailure(shard: number, { error, request, message }: FailureReport): void {
    this.#logger.error({ shard, err: toError(error), req: request }, message);
  }
}
