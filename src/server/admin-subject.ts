import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import type { RoutePlace } from '../admin/hints.js';
import type { AdminSubject, WhyNotReady } from '../admin/subject.js';
import type { Activity, ActivityList } from '../admin/wire.js';
import type { ActivityList as CountedList } from '../contract/activity.js';
import { sumHttpFigures } from '../contract/http-figures.js';
import { routeName } from '../contract/route-permits.js';
import type { MetricFigures } from '../metrics/figures.js';
import { DEFAULT_GROUP } from '../options/scheduling.js';
import { nameOfRoute, shardFigures } from './metric-sources.js';
import type { Revision } from './revision.js';
import type { ServerEvents } from './server-events.js';
import type { ServerState, ServerStats } from './stats.js';

const MS_PER_S = 1_000;
/** Every event of a server. A record, so that none can be missing. */
const EVENTS = Object.keys({
  state: true,
  shard: true,
  reload: true,
  shedding: true,
  stalled: true,
  scaled: true,
  check: true,
} satisfies Record<keyof ServerEvents, true>) as (keyof ServerEvents)[];

/** What the admin listener uses of a server. */
interface OperatedServer extends EventEmitter<ServerEvents> {
  readonly state: ServerState;
  /** Earlier revisions that are finishing their requests. */
  readonly retiring: number;
  metrics(): Promise<string>;
  stats(): ServerStats;
  reload(): Promise<void>;
  restartShard(shard: number): Promise<number>;
  setPermits(permits: number, of: unknown): void;
}

/** A running server for its admin listener. Control thread. */
export class ServerForAdmin implements AdminSubject {
  readonly #server: OperatedServer;
  readonly #current: () => Revision;
  readonly hasMetrics: boolean;
  readonly figures: () => MetricFigures;

  /**
   * @param current returns the revision that gets new requests
   * @param figures returns what metrics show
   */
  constructor(server: OperatedServer, hasMetrics: boolean, current: () => Revision, figures: () => MetricFigures) {
    this.#server = server;
    this.hasMetrics = hasMetrics;
    this.#current = current;
    this.figures = figures;
  }

  get shards(): readonly number[] {
    return this.#current().pool.running;
  }

  get routes(): readonly RoutePlace[] {
    const onShards = this.#current().routes.filter(({ fixed }) => fixed === undefined);
    return onShards.map((route) => ({
      route: routeName(route),
      group: route.scheduling.group ?? DEFAULT_GROUP,
      maxConcurrency: route.scheduling.maxConcurrency,
    }));
  }

  activity(): Activity {
    const revision = this.#current();
    const { core, map, limited, number, pool, routes } = revision;
    const published = sumHttpFigures(core, map, limited.size);
    const activity = pool.activity();
    const named = ({ count, routes: list }: CountedList): ActivityList => ({
      count,
      routes: list.map(({ route, ...one }) => ({ route: nameOfRoute(routes, route), ...one })),
    });
    const { state, retiring } = this.#server;
    return {
      at: Date.now(),
      server: {
        state,
        whyNotReady: textOf(this.whyNotReady()),
        revision: number,
        retiring,
        connections: published.connections,
        hasMetrics: this.hasMetrics,
      },
      shards: shardFigures(revision, published).map((one) => ({
        ...one,
        inFlight: named(activity[one.shard].inFlight),
        waiting: named(activity[one.shard].waiting),
      })),
    };
  }

  metrics(): Promise<string> {
    return this.#server.metrics();
  }

  stats(): object {
    return this.#server.stats();
  }

  whyNotReady(): WhyNotReady | undefined {
    const { state } = this.#server;
    return state === 'ready' ? this.#current().readiness.whyNot() : { reason: state };
  }

  freePermits(): number {
    const { core, map, pool } = this.#current();
    const { queued } = sumHttpFigures(core, map, 0);
    const groups = pool
      .permitsByGroup()
      .map((shards) =>
        mean(shards.map(({ shard, available, limit }) => Math.max(0, available - queued[shard]) / limit)),
      );
    return mean(groups);
  }

  reload(): Promise<void> {
    return this.#server.reload();
  }

  restartShard(shard: number): Promise<number> {
    return this.#server.restartShard(shard);
  }

  setPermits(permits: number, of: unknown): void {
    this.#server.setPermits(permits, of);
  }

  cpuProfile(shard: number, seconds: number, stop: AbortSignal): Promise<string> {
    return this.#current().pool.cpuProfile(shard, seconds * MS_PER_S, stop);
  }

  heapSnapshot(shard: number): Promise<Readable> {
    return this.#current().pool.heapSnapshot(shard);
  }

  listen(listener: (name: string, data: unknown) => void): () => void {
    const listeners = EVENTS.map((name) => [name, (data: unknown) => listener(name, data)] as const);
    for (const [name, own] of listeners) this.#server.on(name, own);
    return () => {
      for (const [name, own] of listeners) this.#server.off(name, own);
    };
  }
}

/** Such as `checks failed: database, queue`. */
function textOf(why: WhyNotReady | undefined): string | undefined {
  return why?.checks === undefined ? why?.reason : `${why.reason}: ${why.checks.join(', ')}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
