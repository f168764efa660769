import type { Group } from '../options/scheduling.js';
import { Shedders } from './admission/shedders.js';
import type { ShardNews } from './news.js';

/** Why a server does not accept requests. */
export interface NotReady {
  reason: 'draining' | 'no shards' | 'circuit open' | 'stalled' | 'checks failed' | 'overloaded';
  /** Names of the app's health checks that have failed, in alphabetical order. */
  checks?: readonly string[];
}

/** Whether an HTTP thread can serve requests, as `/readyz` reports it. HTTP thread. */
export class Readiness {
  readonly shedders: Shedders;
  /** Whether the server is closing, or about to. */
  isLeaving = false;
  readonly #groups: readonly Group[];
  readonly #ready: Uint8Array;
  readonly #shedGraceMs: number;
  readonly #stalled = new Set<string>();
  /** Shards whose threads have ended so often that only one every 10 s is started. */
  readonly #open = new Set<number>();
  /** By shard: names of the app's health checks that fail there. */
  readonly #failed = new Map<number, readonly string[]>();

  /**
   * @param ready 1 for each shard that accepts requests
   * @param shedGraceMs how long all shards of a group may shed
   */
  constructor(groups: readonly Group[], ready: Uint8Array, shedGraceMs: number) {
    this.shedders = new Shedders(groups, ready);
    this.#groups = groups;
    this.#ready = ready;
    this.#shedGraceMs = shedGraceMs;
  }

  /** Notes everything about shards except whether they are ready. */
  hear(news: ShardNews): void {
    switch (news.type) {
      case 'state':
        if (news.isCircuitOpen) this.#open.add(news.shard);
        else this.#open.delete(news.shard);
        return;
      case 'shedding':
        return this.shedders.set(news.shard, news.shedding);
      case 'stalled':
        if (news.stalled) this.#stalled.add(news.group);
        else this.#stalled.delete(news.group);
        return;
      case 'checks':
        if (news.failed.length > 0) this.#failed.set(news.shard, news.failed);
        else this.#failed.delete(news.shard);
    }
  }

  /** Why the server is not ready; undefined if it is. */
  whyNot(): NotReady | undefined {
    if (this.isLeaving) return { reason: 'draining' };
    const missing = this.#groups.filter((group) => this.#readyShards(group).length === 0);
    if (missing.some((group) => this.#isOpen(group))) return { reason: 'circuit open' };
    if (missing.length > 0) return { reason: 'no shards' };
    if (this.#stalled.size > 0) return { reason: 'stalled' };
    const checks = this.#failedChecks();
    if (checks.length > 0) return { reason: 'checks failed', checks };
    return this.shedders.longest() > this.#shedGraceMs ? { reason: 'overloaded' } : undefined;
  }

  #readyShards({ first, count }: Group): number[] {
    return Array.from({ length: count }, (_, i) => first + i).filter((shard) => this.#ready[shard] === 1);
  }

  /** The checks that fail in groups in which no ready shard passes all of its own. */
  #failedChecks(): string[] {
    if (this.#failed.size === 0) return [];
    const ofGroups = this.#groups.map((group) => this.#readyShards(group).map((shard) => this.#failed.get(shard)));
    const failed = ofGroups.filter((ofShards) => !ofShards.includes(undefined)).flat(2);
    return [...new Set(failed as string[])].sort();
  }

  #isOpen({ first, count }: Group): boolean {
    return [...this.#open].some((shard) => shard >= first && shard < first + count);
  }
}
