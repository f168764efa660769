import { url as inspectorUrl } from 'node:inspector';
import type { ShardCounters } from '../contract/counters.js';
import type { ShardLife } from './shard-life.js';

/** Looks within `stuckAfterMs`. Time is counted in looks, so that a process that was stopped for a while calls nobody stuck. */
const LOOKS = 4;

/** What was seen of a shard at the latest look. */
interface Seen {
  /** Names the thread. */
  restarts: number;
  work: number;
  pongs: number;
  /** It was sent a `ping` that it has not answered. */
  isAsked: boolean;
  /** Looks since then. */
  misses: number;
}

/**
 * Tells which shards are stuck: in an endless loop, or in a computation without end. A shard that has claimed something or
 * parked since the last look is not asked; others answer a message as soon as their event loops turn, also when they are idle.
 * Control thread.
 */
export class Heartbeat {
  readonly #lives: readonly ShardLife[];
  readonly #counters: (shard: number) => ShardCounters;
  readonly #seen: Seen[];
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param stuckAfterMs 0 for no looks at all */
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
    // Whoever stands at a breakpoint is not stuck.
    if (inspectorUrl() !== undefined) return;
    for (const life of this.#lives) this.#lookAt(life, this.#seen[life.number]);
  }

  #lookAt(life: ShardLife, seen: Seen): void {
    // What has arrived while this thread was busy counts.
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
