import type { RouteTable } from '../contract/messages.js';
import { LoopShardError } from '../errors.js';
import type { Group } from '../options/scheduling.js';
import type { ShardLife } from './shard-life.js';

export interface TurnoverEvents {
  /** Called before a shard that replaces another one starts, or before one that is added (`old` is undefined). */
  onStarting(life: ShardLife, old: ShardLife | undefined): void;
}

/**
 * Starts shards beside those that run, and lets shards go without losing a request: a shard is replaced by one that starts on a free number of
 * its group, and leaves once that one is ready. Control thread.
 */
export class Turnover {
  readonly #lives: readonly ShardLife[];
  readonly #events: TurnoverEvents;
  /** What every module must define, once the server has started. */
  table: RouteTable | undefined;
  /** Shards that are starting beside others: what ends the wait for them. */
  readonly #starting = new Map<ShardLife, (error: LoopShardError) => void>();
  /** What ends the wait of replacements for a free number. */
  readonly #waiting = new Set<(error: LoopShardError) => void>();
  /** The latest replacement of each group, which the next one follows. */
  readonly #latest = new Map<Group, Promise<unknown>>();
  #isOver = false;

  constructor(lives: readonly ShardLife[], events: TurnoverEvents) {
    this.#lives = lives;
    this.#events = events;
  }

  /**
   * Replaces a shard by another one that starts beside it. Replacements of one group follow each other.
   * @param isNeeded asked when it is this one's turn
   * @returns resolves with the new shard when it gets the requests; undefined if it is not needed
   * @throws LoopShardError NOT_RUNNING, SHARD_FAILED, and as the module throws it: the shard then continues
   */
  replace(life: ShardLife, isNeeded: () => boolean = () => true): Promise<ShardLife | undefined> {
    const { group } = life;
    const turn = (this.#latest.get(group) ?? Promise.resolve()).catch(() => {});
    const replaced = turn.then(() => this.#replace(life, isNeeded));
    this.#latest.set(group, replaced);
    return replaced;
  }

  async #replace(life: ShardLife, isNeeded: () => boolean): Promise<ShardLife | undefined> {
    const next = await this.#free(life.group);
    if (this.#isOver) throw closed();
    if (life.isIdle || life.isLeaving || !isNeeded()) return undefined;
    next.seat = life.seat;
    await this.#start(next, life);
    life.leave();
    return next;
  }

  /** A free number of the group, once there is one. @throws LoopShardError NOT_RUNNING */
  async #free(group: Group): Promise<ShardLife> {
    if (this.#isOver) throw closed();
    const free = this.#of(group).find(({ isIdle }) => isIdle);
    if (free !== undefined) return free;
    const leaving = this.#of(group).filter(({ isLeaving }) => isLeaving);
    let stop: (error: LoopShardError) => void = () => {};
    const stopped = new Promise<never>((_resolve, reject) => {
      stop = reject;
    });
    this.#waiting.add(stop);
    const idle = leaving.map((life) => life.idle().then(() => life));
    return Promise.race([stopped, ...idle]).finally(() => this.#waiting.delete(stop));
  }

  async #start(life: ShardLife, old: ShardLife | undefined): Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#starting.set(life, reject);
    });
    this.#events.onStarting(life, old);
    try {
      await Promise.race([life.start(this.table), failed]);
    } catch (error) {
      life.leave();
      throw error;
    } finally {
      this.#starting.delete(life);
    }
  }

  /** The thread of a shard has ended. */
  onEnded(life: ShardLife, error: LoopShardError): void {
    this.#starting.get(life)?.(error);
  }

  // ── as many as it takes ─────────────────────────────────────────────────────────────────────────────────────────

  /** Shards of the group that run or start, without those that leave or only replace others. */
  members(group: Group): ShardLife[] {
    const seats = new Map<number, ShardLife>();
    for (const life of this.#of(group)) {
      if (!life.isIdle && !life.isLeaving && !(seats.has(life.seat) && this.#starting.has(life)))
        seats.set(life.seat, life);
    }
    return [...seats.values()].sort((a, b) => a.seat - b.seat);
  }

  /** Whether a shard is being added to the group. */
  isGrowing(group: Group): boolean {
    return this.members(group).some((life) => this.#starting.has(life));
  }

  /**
   * Adds a shard to the group.
   * @returns resolves when it is ready; undefined if the group has no free number or seat now
   * @throws LoopShardError as `replace`
   */
  grow(group: Group): Promise<void> | undefined {
    const members = this.members(group);
    const life = this.#of(group).find(({ isIdle }) => isIdle);
    if (life === undefined || members.length >= group.most || this.#isOver) return undefined;
    const taken = new Set(members.map(({ seat }) => seat));
    life.seat = group.first;
    while (taken.has(life.seat)) life.seat++;
    return this.#start(life, undefined);
  }

  /** Lets the last shard of the group go, so that others keep their keys. Returns which; undefined while shards of the group start or end. */
  shrink(group: Group): ShardLife | undefined {
    const members = this.members(group);
    const life = members.at(-1);
    const isSettled =
      members.every(({ state }) => state === 'ready') && !this.#of(group).some((one) => this.#starting.has(one));
    if (life === undefined || members.length <= group.least || !isSettled) return undefined;
    life.leave();
    return life;
  }

  #of({ first, count }: Group): ShardLife[] {
    return this.#lives.slice(first, first + count);
  }

  /** Starts no further shards. Those that are starting end. */
  stop(): void {
    this.#isOver = true;
    for (const reject of [...this.#starting.values(), ...this.#waiting]) reject(closed());
  }
}

function closed(): LoopShardError {
  return new LoopShardError('NOT_RUNNING', 'The server was closed or reloaded before the shard was ready.');
}
