import type { ShardWords } from '../contract/shard-words.js';
import type { ShardLife } from './shard-life.js';

const LOOK_MS = 250;
/** Part of the limit by which the limits of shards differ, so that shards that started together are not replaced together. */
const SPREAD = 1 / 10;

/** What a shard had done when its current thread became ready. */
interface Begin {
  thread: number;
  requests: number;
  /** Handlers that this thread starts before it is replaced. */
  most: number;
}

/** Finds shards that have started `maxRequestsPerShard` handlers. Control thread. */
export class LoadLimits {
  readonly #words: ShardWords;
  readonly #max: number;
  readonly #onReached: (life: ShardLife) => void;
  readonly #begins = new Map<ShardLife, Begin>();
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param max handlers that a shard starts, at most about; 0 disables the limit
   * @param onReached called once for each thread
   */
  constructor(words: ShardWords, max: number, onReached: (life: ShardLife) => void) {
    this.#words = words;
    this.#max = max;
    this.#onReached = onReached;
    if (max > 0) this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The shard is ready: counts from here if this thread was not ready before. */
  begin(life: ShardLife): void {
    if (this.#max === 0 || this.#begins.get(life)?.thread === life.threads) return;
    const most = this.#max * (1 - SPREAD * Math.random());
    this.#begins.set(life, { thread: life.threads, requests: this.#requests(life), most });
  }

  #look(): void {
    for (const [life, begin] of this.#begins) {
      if (begin.thread !== life.threads || (this.#requests(life) - begin.requests) >>> 0 < begin.most) continue;
      begin.most = Number.POSITIVE_INFINITY;
      this.#onReached(life);
    }
  }

  #requests({ number }: ShardLife): number {
    return this.#words.counters(number).requests;
  }
}
