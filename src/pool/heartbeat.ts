import { url as inspectorUrl } from 'node:inspector';
import type { ShardWords } from '../contract/shard-words.js';
import type { StuckLimits } from '../options/scheduling.js';
import type { ShardLife } from './shard-life.js';

/** Checks within `stuckAfterMs`. Time is counted in checks, so that no shard seems stuck after the process was suspended. */
const LOOKS = 4;
/** A check that comes later than this many intervals after the previous one proves nothing: this thread was suspended, and others too. */
const LATE = 2;
/** After a shard was terminated, the next one of its group follows when the first is replaced, or after this time. */
const KILL_GAP_MS = 5_000;

/** What the latest check found about a shard. */
interface Seen {
  /** Identifies the thread. */
  restarts: number;
  work: number;
  pongs: number;
  /** When the running handler was called; 0 if none was running. */
  calledAt: number;
  /** Whether a `ping` is unanswered. */
  isAsked: boolean;
  /** Checks since then, or since the handler was first seen. */
  misses: number;
  isKilled: boolean;
}

/** The parts of a life that the heartbeat uses. */
export type Beating = Pick<
  ShardLife,
  'number' | 'restarts' | 'state' | 'pongs' | 'receive' | 'send' | 'stick' | 'unstick'
>;

export interface HeartbeatEvents {
  /** The event loop of a stuck shard has still been blocked for `killStuckAfterMs`. */
  onKill(shard: number): void;
}

/**
 * Detects stuck shards of a group: those in an endless loop or a very long computation. A shard that has claimed requests or parked since the
 * last check is not asked. One that is still in the same call of a handler has not turned. Any other replies to a message as soon as its event
 * loop turns, even if it is idle. Control thread.
 */
export class Heartbeat {
  readonly #lives: readonly Beating[];
  readonly #words: Pick<ShardWords, 'counters' | 'calledAt' | 'isInspected'>;
  readonly #events: HeartbeatEvents;
  readonly #seen: Seen[];
  readonly #intervalMs: number;
  /** Checks until a stuck shard is terminated. */
  readonly #killLooks: number;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout | undefined;
  #lookedAt: number;
  /** The shard that was terminated last, and when. */
  #killed: { life: Beating; at: number } | undefined;

  /** @param now milliseconds of a monotonic clock */
  constructor(
    lives: readonly Beating[],
    { stuckAfterMs, killStuckAfterMs }: StuckLimits,
    words: Pick<ShardWords, 'counters' | 'calledAt' | 'isInspected'>,
    events: HeartbeatEvents,
    now: () => number = () => performance.now(),
  ) {
    this.#lives = lives;
    this.#words = words;
    this.#events = events;
    this.#now = now;
    this.#lookedAt = now();
    this.#seen = lives.map(() => ({
      restarts: 0,
      work: -1,
      pongs: 0,
      calledAt: 0,
      isAsked: false,
      misses: 0,
      isKilled: false,
    }));
    this.#intervalMs = Math.ceil(stuckAfterMs / LOOKS);
    this.#killLooks =
      killStuckAfterMs === 0 ? Number.POSITIVE_INFINITY : LOOKS + Math.ceil(killStuckAfterMs / this.#intervalMs);
    if (stuckAfterMs > 0) this.#timer = setInterval(() => this.#look(), this.#intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#now();
    const isLate = now - this.#lookedAt > this.#intervalMs * LATE;
    this.#lookedAt = now;
    // A thread at a breakpoint is not stuck.
    if (isLate || inspectorUrl() !== undefined) return;
    for (const [index, life] of this.#lives.entries()) this.#lookAt(life, this.#seen[index]);
  }

  #lookAt(life: Beating, seen: Seen): void {
    // Messages that arrived while this thread was busy count.
    life.receive();
    const { requests, batches, parks } = this.#words.counters(life.number);
    const calledAt = this.#words.calledAt(life.number);
    const { restarts, pongs } = life;
    const work = requests + batches + parks;
    const isOther = restarts !== seen.restarts || (life.state !== 'ready' && life.state !== 'stuck');
    const hasTurned = work !== seen.work || pongs !== seen.pongs || calledAt !== seen.calledAt;
    if (isOther || pongs !== seen.pongs) seen.isAsked = false;
    if (isOther) seen.isKilled = false;
    Object.assign(seen, { restarts, work, pongs, calledAt });
    if (isOther || hasTurned || this.#words.isInspected(life.number)) {
      seen.misses = 0;
      life.unstick();
    } else if (!seen.isAsked && calledAt === 0) {
      seen.isAsked = true;
      life.send({ type: 'ping' });
    } else if (++seen.misses >= LOOKS) {
      life.stick();
      if (seen.misses >= this.#killLooks) this.#kill(life, seen);
    }
  }

  /** One at a time: if the whole machine was slow, the others turn meanwhile. */
  #kill(life: Beating, seen: Seen): void {
    const last = this.#killed;
    const isBusy = last !== undefined && last.life.state !== 'ready' && this.#now() - last.at < KILL_GAP_MS;
    if (seen.isKilled || isBusy) return;
    seen.isKilled = true;
    this.#killed = { life, at: this.#now() };
    this.#events.onKill(life.number);
  }
}
