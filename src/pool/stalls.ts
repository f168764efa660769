import type { ShardWords } from '../contract/shard-words.js';
import type { Group } from '../options/scheduling.js';

/** Looks within `stalledAfterMs`. Time is counted in looks, so that a process that was stopped for a while calls nobody stalled. */
const LOOKS = 4;

/** What was seen of a group at the latest look. */
interface Seen {
  group: Group;
  /** Handlers that its shards had started. */
  started: number;
  /** Looks since the last progress. */
  misses: number;
}

/**
 * Tells which groups are stalled: all permits of their ready shards are taken, and no handler has settled for so long. One that
 * settles leaves a free permit, or has another one start, which is counted. Control thread.
 */
export class Stalls {
  readonly #words: ShardWords;
  readonly #isReady: (shard: number) => boolean;
  readonly #onStalled: (group: Group, stalled: boolean) => void;
  readonly #seen: Seen[];
  readonly #stalled = new Set<Group>();
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param stalledAfterMs 0 for no looks at all
   * @param onStalled the group is stalled, or is not any more
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

  /** None of its ready shards can start anything. Where none is ready, that is what matters. */
  #isFull(group: Group): boolean {
    const ready = shardsOf(group).filter(this.#isReady);
    return ready.length > 0 && ready.every((shard) => this.#words.permits(shard).available <= 0);
  }
}

function shardsOf({ first, count }: Group): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
