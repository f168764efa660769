import type { ShardWords } from '../contract/shard-words.js';
import type { Group } from '../options/scheduling.js';

/** Checks within `stalledAfterMs`. Time is counted in checks, so that no group seems stalled after the process was suspended. */
const LOOKS = 4;

/** What the latest check found about a group. */
interface Seen {
  group: Group;
  /** Handlers that its shards had started. */
  started: number;
  /** Checks since the last progress. */
  misses: number;
}

/**
 * Detects stalled groups: all permits of their ready shards are taken, and no handler has settled for `stalledAfterMs`. A handler that
 * settles leaves a free permit, or lets another one start, which is counted. Control thread.
 */
export class Stalls {
  readonly #words: ShardWords;
  readonly #isReady: (shard: number) => boolean;
  readonly #onStalled: (group: Group, stalled: boolean) => void;
  readonly #seen: Seen[];
  readonly #stalled = new Set<Group>();
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param stalledAfterMs 0 disables the checks
   * @param onStalled called when a group becomes stalled, and when it no longer is
   */
  constructor(
    groups: readonly Group[],
    words: ShardWords,
    isReady: (shard: number) => boolean,
    stalledAfterMs: number,
    onStalled: (group: Group, stalled: boolean) => void,
  ) {
    this.#words = words;
    this.#isReady = isReady;
    this.#onStalled = onStalled;
    this.#seen = groups.map((group) => ({ group, started: 0, misses: 0 }));
    if (stalledAfterMs > 0) this.#timer = setInterval(() => this.#look(), Math.ceil(stalledAfterMs / LOOKS)).unref();
  }

  has(group: Group): boolean {
    return this.#stalled.has(group);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const seen of this.#seen) {
      const { group } = seen;
      const started = this.#started(group);
      const canMiss = started === seen.started && this.#isFull(group);
      seen.started = started;
      seen.misses = canMiss ? seen.misses + 1 : 0;
      const stalled = seen.misses >= LOOKS;
      if (stalled === this.#stalled.has(group)) continue;
      if (stalled) this.#stalled.add(group);
      else this.#stalled.delete(group);
      this.#onStalled(group, stalled);
    }
  }

  #started(group: Group): number {
    return shardsOf(group).reduce((sum, shard) => sum + this.#words.counters(shard).requests, 0);
  }

  /** Whether none of its ready shards can start a handler. A group without ready shards is a different problem. */
  #isFull(group: Group): boolean {
    const ready = shardsOf(group).filter(this.#isReady);
    return ready.length > 0 && ready.every((shard) => this.#words.permits(shard).available <= 0);
  }
}

function shardsOf({ first, count }: Group): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
