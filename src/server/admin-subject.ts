import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import type { AdminSubject } from '../admin/subject.js';
import { sumHttpFigures } from '../contract/http-figures.js';
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
} satisfies Record<keyof ServerEvents, true>) as (keyof ServerEvents)[];

/** What the admin listener uses of a server. */
interface OperatedServer extends EventEmitter<ServerEvents> {
  readonly state: ServerState;
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
  readonly figures: () => object;

  /**
   * @param current returns the revision that gets new requests
   * @param figures returns what metrics show
   */
  constructor(server: OperatedServer, current: () => Revision, figures: () => object) {
    this.#server = server;
    this.#current = current;
    this.figures = figures;
  }

  get shards(): readonly number[] {
    return this.#current().pool.running;
  }

  metrics(): Promise<string> {
    return this.#server.metrics();
  }

  stats(): object {
    return this.#server.stats();
  }

  whyNotReady(): string | undefined {
    const { state } = this.#server;
    return state === 'ready' ? this.#current().readiness.whyNot() : state;
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

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
