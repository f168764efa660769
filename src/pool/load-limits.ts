import type { ShardWords } from '../contract/shard-words.js';
import type { ShardLife } from './shard-life.js';

const LOOK_MS = 250;
/** Part of the limit by which the limits of shards differ, so that shards that started together are not replaced together. */
const SPREAD = 1 / 10;

/** What a shard had done when its thread became ready. */
interface Begin {
  restarts: number;
  requests: number;
  most: number;
}

/** Finds shards that have started `maxRequestsPerShard` handlers. Control thread. */
export class LoadLimits {
  readonly #lives: readonly ShardLife[];
  readonly #words: ShardWords;
  readonly #max: number;
  readonly #onReached: (life: ShardLife) => void;
  readonly #begins = new Map<ShardLife, Begin>();
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param max handlers that a shard starts, at most about; 0 disables the limit
   * @param onReached called once for each thread
   */
  constructor(lives: readonly ShardLife[], words: ShardWords, max: number, onReached: (life: ShardLife) => void) {
    this.#lives = lives;
    this.#words = words;
    this.#max = max;
    this.#onReached = onReached;
    if (max > 0) this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const life of this.#lives) this.#lookAt(life);
  }

  #lookAt(life: ShardLife): void {
    if (life.state !== 'ready') {
      this.#begins.delete(life);
      return;
    }
    const { requests } = this.#words.counters(life.number);
    const begin = this.#begins.get(life);
    if (begin === undefined || begin.restarts !== life.restarts) {
      const most = this.#max * (1 - SPREAD * Math.random());
      this.#begins.set(life, { restarts: life.restarts, requests, most });
    } else if ((requests - begin.requests) >>> 0 >= begin.most) {
      begin.most = Number.POSITIVE_INFINITY;
      this.#onReached(life);
    }
  }
}
