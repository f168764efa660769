import type { Group } from '../options/scheduling.js';
import { Shedders } from './admission/shedders.js';

/** Why a server does not accept requests. */
export type NotReady = 'draining' | 'no shards' | 'circuit open' | 'stalled' | 'overloaded';

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

  /** The group has no free permit and no handler settles, or this has ended. */
  setStalled(group: string, stalled: boolean): void {
    if (stalled) this.#stalled.add(group);
    else this.#stalled.delete(group);
  }

  setCircuit(shard: number, isOpen: boolean): void {
    if (isOpen) this.#open.add(shard);
    else this.#open.delete(shard);
  }

  /** Why the server is not ready; undefined if it is. */
  whyNot(): NotReady | undefined {
    if (this.isLeaving) return 'draining';
    const missing = this.#groups.filter(({ first, count }) => !this.#ready.subarray(first, first + count).includes(1));
    if (missing.some((group) => this.#isOpen(group))) return 'circuit open';
    if (missing.length > 0) return 'no shards';
    if (this.#stalled.size > 0) return 'stalled';
    return this.shedders.longest() > this.#shedGraceMs ? 'overloaded' : undefined;
  }

  #isOpen({ first, count }: Group): boolean {
    return [...this.#open].some((shard) => shard >= first && shard < first + count);
  }
}
