import { url as inspectorUrl } from 'node:inspector';
import type { ShardCounters } from '../contract/counters.js';
import type { ShardLife } from './shard-life.js';

/** Checks within `stuckAfterMs`. Time is counted in checks, so that no shard seems stuck after the process was suspended. */
const LOOKS = 4;

/** What the latest check found about a shard. */
interface Seen {
  /** Identifies the thread. */
  restarts: number;
  work: number;
  pongs: number;
  /** Whether a `ping` is unanswered. */
  isAsked: boolean;
  /** Checks since then. */
  misses: number;
}

/**
 * Detects stuck shards: those in an endless loop or a very long computation. A shard that has claimed requests or parked since the last
 * check is not asked; any other replies to a message as soon as its event loop turns, even if it is idle. Control thread.
 */
export class Heartbeat {
  readonly #lives: readonly ShardLife[];
  readonly #counters: (shard: number) => ShardCounters;
  readonly #seen: Seen[];
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param stuckAfterMs 0 disables the checks */
  constructor(lives: readonly ShardLife[], stuckAfterMs: number, counters: (shard: number) => ShardCounters) {
    this.#lives = lives;
    this.#counters = counters;
    this.#seen = lives.map(() => ({ restarts: 0, work: -1, pongs: 0, isAsked: false, misses: 0 }));
    if (stuckAfterMs > 0) this.#timer = setInterval(() => this.#look(), Math.ceil(stuckAfterMs / LOOKS)).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    // A thread at a breakpoint is not stuck.
    if (inspectorUrl() !== undefined) return;
    for (const life of this.#lives) this.#lookAt(life, this.#seen[life.number]);
  }

  #lookAt(life: ShardLife, seen: Seen): void {
    // Messages that arrived while this thread was busy count.
    life.receive();
    const { requests, batches, parks } = this.#counters(life.number);
    const { restarts, pongs } = life;
    const work = requests + batches + parks;
    const isOther = restarts !== seen.restarts || (life.state !== 'ready' && life.state !== 'stuck');
    const hasTurned = work !== seen.work || pongs !== seen.pongs;
    if (isOther || pongs !== seen.pongs) seen.isAsked = false;
    Object.assign(seen, { restarts, work, pongs });
    if (isOther || hasTurned) {
      seen.misses = 0;
      life.unstick();
    } else if (!seen.isAsked) {
      seen.isAsked = true;
      life.send({ type: 'ping' });
    } else if (++seen.misses >= LOOKS) {
      life.stick();
    }
  }
}
