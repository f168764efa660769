import { toError } from '../contract/describe.js';
import { createServerMemory, type MemoryMap, routePermitsAddress } from '../contract/memory-map.js';
import type { CheckReport, FailureReport, RouteEntry, RouteTable } from '../contract/messages.js';
import { createRoutePermits, limitedRoutes, routeName } from '../contract/route-permits.js';
import type { CoreMemory } from '../core/memory.js';
import { Semaphore } from '../core/semaphore.js';
import type { LoopShardError } from '../errors.js';
import type { ShardNews } from '../http/news.js';
import { Readiness } from '../http/readiness.js';
import { createRouteCounts } from '../http/route-counts.js';
import type { RouteSources } from '../metrics/route-totals.js';
import type { Logger } from '../options/logger.js';
import type { ResolvedOptions } from '../options/options.js';
import { DEFAULT_SHED_GRACE_MS, type Group } from '../options/scheduling.js';
import type { Scaled } from '../pool/scaler.js';
import { CIRCUIT_TEXT, type ShardState, type ThreadEnd } from '../pool/shard-life.js';
import { type ReplaceReason, ShardPool } from '../pool/shard-pool.js';
import type { StartThread } from '../pool/shard-thread.js';
import type { HttpThreads } from './http-threads.js';
import type { ServerEvents } from './server-events.js';

/** What a revision tells the server. */
export interface RevisionEvents {
  /** Tells the listeners of the server's event. */
  tell<Name extends keyof ServerEvents>(name: Name, ...args: ServerEvents[Name]): void;
  /** Whether the server has started, and is not closing. */
  isReady(): boolean;
  /** Logs a warning once, although every thread loads the same module, and reloads do it again. */
  warnOnce(details: object, message: string): void;
}

/** Memory of the server that a revision needs, created before the HTTP threads. */
export interface RevisionMemory {
  core: CoreMemory;
  map: MemoryMap;
}

/** @throws LoopShardError MEMORY_EXHAUSTED */
export function createRevisionMemory(options: ResolvedOptions): RevisionMemory {
  const shards = options.groups.reduce((sum, { count }) => sum + count, 0);
  return createServerMemory({ ...options, shards, permits: options.permits.initial });
}

/**
 * The code of one start or reload while it runs: its shards, with a shared memory of their own. A reload starts the next revision beside the
 * current one. Control thread.
 */
export class Revision {
  /** 0 for that of the start. */
  readonly number: number;
  readonly core: CoreMemory;
  readonly map: MemoryMap;
  readonly pool: ShardPool;
  /** The same as each HTTP thread has. */
  readonly readiness: Readiness;
  /** Shards that are shedding load. */
  readonly shedding = new Set<number>();
  /** Routes with `maxConcurrency`, such as `GET /report`, and their permits. */
  readonly limited = new Map<string, Semaphore>();
  /** Of the app; empty until it is loaded. */
  routes: readonly RouteEntry[] = [];
  /** By HTTP thread: where it counts responses by route; empty without metrics. */
  routeCounts: readonly SharedArrayBuffer[] = [];
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #http: HttpThreads;
  readonly #events: RevisionEvents;
  /** 1 for each shard that accepts requests. */
  readonly #ready: Uint8Array;
  #hasStarted = false;
  /** What its shards suffer from concerns no new request. */
  #isRetired = false;

  /**
   * @param module URL
   * @param startThread starts a shard if it is not to run on a worker thread
   */
  constructor(
    number: number,
    { core, map }: RevisionMemory,
    source: { module: string; epochMs: number; startThread: StartThread | undefined },
    options: ResolvedOptions,
    logger: Logger,
    http: HttpThreads,
    events: RevisionEvents,
  ) {
    this.number = number;
    this.core = core;
    this.map = map;
    this.#options = options;
    this.#logger = logger;
    this.#http = http;
    this.#events = events;
    this.#ready = new Uint8Array(map.shards);
    this.readiness = new Readiness(options.groups, this.#ready, options.health?.shedGraceMs ?? DEFAULT_SHED_GRACE_MS);
    this.pool = new ShardPool(
      core,
      map,
      { ...options, ...source },
      {
        onShardSpawned: (shard, requests) => http.attach(number, shard, requests),
        onShardEnded: (shard, end, nextMs) => this.#onShardEnded(shard, end, nextMs),
        onShardUnstoppable: (shard) => this.#inform({ type: 'unstoppable', shard }),
        onShardMissing: (shard) => this.#inform({ type: 'missing', shard }),
        onShardRestarted: (shard) => logger.info({ shard }, `shard ${shard} is running again`),
        onShardState: (shard, state, isReplaced, seat) => this.#onShardState(shard, state, isReplaced, seat),
        onReplacing: (shard, by, why) => this.#onReplacing(shard, by, why),
        onReplaceFailed: (shard, error) => this.#onReplaceFailed(shard, error),
        onScaled: (group, scaled) => this.#onScaled(group, scaled),
        onGrowFailed: (group, error) => this.#onGrowFailed(group, error),
        onChecks: (shard, failed, change) => this.#onChecks(shard, failed, change),
        onKill: (shard) => this.#onKill(shard),
        onStreamsFull: (shard) => this.#onStreamsFull(shard),
        onStalled: (group, stalled) => this.#onStalled(group, stalled),
        onFailure: (shard, report) => this.#onFailure(shard, report),
        onSignalListener: (signal) => this.#onSignalListener(signal),
        onListen: (wanted) => this.#onListen(wanted),
      },
    );
  }

  /**
   * Starts the shards.
   * @param counts by group; default: the fewest
   * @returns the route table on which they agree
   * @throws LoopShardError as `ShardPool.start`, ROUTE_INVALID
   */
  async start(counts?: readonly number[]): Promise<RouteTable> {
    const table = await this.pool.start(counts);
    createRoutePermits(this.core, this.map, table);
    this.routes = table.routes;
    const { metrics, health } = this.#options;
    if (metrics)
      this.routeCounts = Array.from({ length: this.map.httpThreads }, () => createRouteCounts(table, health));
    for (const [index, route] of limitedRoutes(table).entries()) {
      this.limited.set(routeName(route), Semaphore.attach(this.core, routePermitsAddress(this.map, index)));
    }
    this.#hasStarted = true;
    return table;
  }

  /** Where its threads count by route. */
  get routeSources(): RouteSources {
    return {
      routes: this.routes,
      health: this.#options.health,
      responses: this.routeCounts,
      times: this.pool.times,
    };
  }

  /** Starts no further threads, and tells the handlers of streams to end. */
  retire(): void {
    for (const group of this.#options.groups) if (this.pool.isStalled(group)) this.#onStalled(group, false);
    for (const shard of this.shedding) this.onShedding(shard, false);
    this.#isRetired = true;
    this.pool.retire();
    this.pool.drain();
  }

  /**
   * Ends the shards in order; those that have not ended at the deadline are terminated.
   * @param deadline by `performance.now()`
   */
  async close(deadline: number): Promise<void> {
    this.#reportLeft(await this.pool.close(deadline));
  }

  /** Terminates the shards. */
  async destroy(): Promise<void> {
    this.#reportLeft(await this.pool.destroy());
  }

  #reportLeft(shards: readonly number[]): void {
    for (const shard of shards) {
      this.#logger.error(
        { shard },
        `shard ${shard} is in native code that cannot be stopped; its thread ends when that code returns`,
      );
    }
  }

  /** The limits of routes were changed. */
  permitsChanged(): void {
    this.#inform({ type: 'permits' });
  }

  /** Tells the HTTP threads, and notes it for the admin listener. */
  #inform(about: ShardNews): void {
    if (about.type === 'state') this.#ready[about.shard] = about.state === 'ready' ? 1 : 0;
    this.readiness.hear(about);
    this.#http.tell({ type: 'shard', revision: this.number, about });
  }

  // ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #onStalled({ name }: Group, stalled: boolean): void {
    if (this.#isRetired) return;
    const { stalledAfterMs } = this.#options;
    const message = stalled
      ? `group ${name} is stalled: all its permits are taken, and no handler has settled for ${stalledAfterMs} ms; set \`timeouts.handlerTimeoutMs\` to time out handlers that hang`
      : `group ${name} is no longer stalled`;
    this.#logger.warn({ group: name, stalled }, message);
    this.#inform({ type: 'stalled', group: name, stalled });
    this.#events.tell('stalled', { group: name, stalled });
  }

  /** An HTTP thread has started or stopped rejecting requests for the shard because queued ones have waited too long. */
  onShedding(shard: number, shedding: boolean): void {
    if (this.#isRetired) return;
    if (shedding) this.shedding.add(shard);
    else this.shedding.delete(shard);
    this.#inform({ type: 'shedding', shard, shedding });
    const what = shedding ? 'is shedding load: queued requests have waited too long' : 'is no longer shedding load';
    this.#logger.warn({ shard, shedding }, `shard ${shard} ${what}`);
    this.#events.tell('shedding', { shard, group: this.pool.groupOf(shard).name, shedding });
  }

  #onShardEnded(
    shard: number,
    { error, wasReady, wasAsked }: ThreadEnd,
    nextMs: number | undefined,
  ): Promise<void> | undefined {
    const takenBack = this.#http.takeBack(this.number, shard);
    if (!this.#hasStarted) return takenBack;
    const what = wasReady ? 'ended unexpectedly' : 'failed to start again';
    if (!wasAsked) this.#logger.error({ shard, err: error }, `shard ${shard} ${what}: ${error.message}`);
    if (nextMs !== undefined && this.pool.isCircuitOpen(shard)) {
      const { maxRestarts } = this.#options;
      this.#logger.error(
        { shard, nextMs },
        `the circuit of shard ${shard} is open after more than ${maxRestarts} restarts within ${CIRCUIT_TEXT}; it is now restarted once every ${CIRCUIT_TEXT}`,
      );
    }
    return takenBack;
  }

  #onShardState(shard: number, state: ShardState, isReplaced: boolean, seat: number): void {
    if (state === 'stuck' && this.#events.isReady()) this.#reportStuck(shard);
    this.#inform({ type: 'state', shard, state, isReplaced, isCircuitOpen: this.pool.isCircuitOpen(shard), seat });
    this.#events.tell('shard', { shard, group: this.pool.groupOf(shard).name, state, revision: this.number });
  }

  /** Says which handler blocks the shard, unless other code does. */
  #reportStuck(shard: number): void {
    const running = this.pool.runningRoute(shard);
    const route = running === undefined || running.route < 0 ? undefined : routeName(this.routes[running.route]);
    const by = route === undefined ? '' : ` by a handler of \`${route}\``;
    const { stuckAfterMs } = this.pool.groupOf(shard);
    this.#logger.error(
      { shard, ...(route !== undefined && { route }) },
      `shard ${shard} is stuck: its event loop has been blocked for ${stuckAfterMs} ms${by}`,
    );
  }

  #onReplacing(shard: number, by: number, why: ReplaceReason): void {
    const level = why === 'asked' ? 'info' : 'warn';
    this.#logger[level](
      { shard, by, why },
      `shard ${shard} is being replaced by shard ${by}: ${this.#explain(shard, why)}`,
    );
  }

  #explain(shard: number, why: ReplaceReason): string {
    const { maxRequestsPerShard, maxShardHeapMb } = this.#options;
    switch (why) {
      case 'asked':
        return '`server.restartShard()` was called';
      case 'requests':
        return `it has started as many handlers as it may (\`recovery.maxRequestsPerShard\`, ${maxRequestsPerShard})`;
      case 'heap':
        return `its heap is larger than ${maxShardHeapMb} MiB (\`recovery.maxShardHeapMb\`)`;
      case 'abandoned':
        return `${this.pool.abandoned(shard)} abandoned handlers have not settled (\`recovery.maxAbandoned\`)`;
      case 'checks':
        return `its health checks keep failing: ${this.pool.failedChecks(shard).join(', ')} (\`replaceAfter\`)`;
      case 'native code':
        return 'it is in native code that cannot be stopped';
    }
  }

  #onScaled({ name }: Group, { from, to, busy, waitMs }: Scaled): void {
    const verb = to > from ? 'has grown' : 'is shrinking';
    const queue = waitMs > 0 ? `, and requests were queued for ${Math.round(waitMs)} ms` : '';
    this.#logger.info(
      { group: name, from, to },
      `group ${name} ${verb} from ${from} to ${to} shards: ${busy.toFixed(1)} of ${from} were busy on average${queue}`,
    );
    this.#events.tell('scaled', { group: name, from, to });
  }

  #onGrowFailed({ name }: Group, error: LoopShardError): void {
    this.#logger.error({ group: name, err: error }, `group ${name} cannot grow: ${error.message}`);
  }

  #onChecks(shard: number, failed: readonly string[], change: CheckReport | undefined): void {
    this.#inform({ type: 'checks', shard, failed });
    if (change === undefined || this.#isRetired) return;
    const { name, error } = change;
    const details = { shard, check: name, ...(error && { err: toError(error) }) };
    if (error === undefined) this.#logger.info(details, `health check ${name} passes again on shard ${shard}`);
    else this.#logger.warn(details, `health check ${name} fails on shard ${shard}: ${error.message}`);
    const { name: group } = this.pool.groupOf(shard);
    this.#events.tell('check', { shard, group, check: name, passes: error === undefined });
  }

  #onReplaceFailed(shard: number, error: LoopShardError): void {
    this.#logger.error(
      { shard, err: error },
      `shard ${shard} continues, because its replacement failed: ${error.message}`,
    );
  }

  #onKill(shard: number): void {
    this.#logger.error({ shard }, `shard ${shard} is being terminated: it is still stuck`);
  }

  #onStreamsFull(shard: number): void {
    const { maxStreams } = this.#options;
    this.#logger.warn(
      { shard, maxStreams },
      `shard ${shard} is streaming ${maxStreams} responses; further ones get 503 (\`limits.maxStreams\`)`,
    );
  }

  #onSignalListener(signal: string): void {
    this.#events.warnOnce(
      { signal },
      `the app listens for ${signal} on shards, which never receive signals. Use process.on('beforeExit', …) there: it is called when a shard ends in order, and may return a promise. Or listen in the main module.`,
    );
  }

  /** Warns that clients do not find the app where its module says. */
  #onListen(wanted: number): void {
    const { port } = this.#options.listening.target;
    if (!port || port === wanted) return;
    this.#events.warnOnce(
      { port: wanted },
      `the app calls \`listen(${wanted})\`, which opens no port on shards: the server listens on port ${port}. To use the other one, set the option \`port\`.`,
    );
  }

  #onFailure(shard: number, { error, request, message }: FailureReport): void {
    this.#logger.error({ shard, err: toError(error), req: request }, message);
  }
}
