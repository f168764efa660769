import type { LoopShardError } from '../errors.js';
import type { Group } from '../options/scheduling.js';
import { LOOK_MS, type LoadInWindow, Scaling } from './scaling.js';
import type { ShardLife } from './shard-life.js';
import type { LoopTimes } from './shard-thread.js';
import type { Turnover } from './turnover.js';

/** A measurement that comes later than this many intervals after the previous one is of a process that was suspended. */
const LATE = 2;
/** After a shard could not be added, the next attempt follows at the earliest after this time. */
const RETRY_MS = 10_000;

/** A change of the number of shards of a group. */
export interface Scaled extends LoadInWindow {
  from: number;
  to: number;
}

export interface ScalerEvents {
  /** Which part of its permits are taken, and how long its oldest request has been queued, in milliseconds. */
  demand(shard: number): { permitsTaken: number; waitMs: number };
  /** A shard was added and accepts requests, or one is leaving. */
  onScaled(group: Group, scaled: Scaled): void;
  /** A shard that was to be added did not start. */
  onGrowFailed(group: Group, error: LoopShardError): void;
}

/** What the scaler knows about a group. */
interface ScaledGroup {
  group: Group;
  scaling: Scaling;
  /** When another attempt may follow one that failed, by `performance.now()`. */
  notBefore: number;
  grown: number;
  shrunk: number;
}

/** The event loop of a thread at the last measurement. */
interface Seen {
  thread: number;
  times: LoopTimes;
}

/** Gives each group with a range as many shards as its load needs, within the range. Control thread. */
export class Scaler {
  readonly #groups: readonly ScaledGroup[];
  readonly #turnover: Turnover;
  readonly #events: ScalerEvents;
  readonly #seen = new Map<ShardLife, Seen>();
  #lookedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(groups: readonly Group[], turnover: Turnover, events: ScalerEvents) {
    this.#groups = groups.map((group) => ({ group, scaling: new Scaling(group), notBefore: 0, grown: 0, shrunk: 0 }));
    this.#turnover = turnover;
    this.#events = events;
  }

  /** Begins, once the shards have started. */
  start(): void {
    if (this.#groups.every(({ group: { least, most } }) => least === most)) return;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** How many shards each group has, and how often one was added or removed. */
  figures() {
    return this.#groups.map(({ group, grown, shrunk }) => ({
      group: group.name,
      shards: this.#turnover.members(group).length,
      min: group.least,
      max: group.most,
      grown,
      shrunk,
    }));
  }

  #look(): void {
    const now = performance.now();
    const isLate = now - this.#lookedAt > LOOK_MS * LATE;
    this.#lookedAt = now;
    for (const one of this.#groups) {
      if (one.group.least < one.group.most) this.#lookAt(one, isLate, now);
    }
  }

  #lookAt(one: ScaledGroup, isLate: boolean, now: number): void {
    const { group, scaling } = one;
    const members = this.#turnover.members(group);
    const load = this.#measure(members);
    if (isLate || now < one.notBefore || this.#turnover.isGrowing(group)) return scaling.reset();
    const decision = scaling.look(load, members.length);
    if (decision === undefined) return;
    const { change, ...seen } = decision;
    if (change === 'grow') void this.#grow(one, members.length, seen);
    else this.#shrink(one, members.length, seen);
  }

  /** Of the shards that have run since the last time. One that is stuck is busy. */
  #measure(members: readonly ShardLife[]) {
    const utilizations: number[] = [];
    let shortestMs = Number.POSITIVE_INFINITY;
    for (const life of members) {
      if (life.state !== 'ready' && life.state !== 'stuck') continue;
      const utilization = this.#loopUtilization(life);
      if (utilization === undefined) continue;
      const { permitsTaken, waitMs } = this.#events.demand(life.number);
      utilizations.push(Math.max(utilization, permitsTaken));
      shortestMs = Math.min(shortestMs, waitMs);
    }
    return { utilizations, waitMs: shortestMs };
  }

  #loopUtilization(life: ShardLife): number | undefined {
    const times = life.thread?.loopTimes();
    if (times === undefined) return undefined;
    const last = this.#seen.get(life);
    this.#seen.set(life, { thread: life.threads, times });
    if (last === undefined || last.thread !== life.threads) return undefined;
    const activeMs = times.activeMs - last.times.activeMs;
    const allMs = activeMs + times.idleMs - last.times.idleMs;
    return allMs > 0 ? activeMs / allMs : undefined;
  }

  async #grow(one: ScaledGroup, from: number, seen: LoadInWindow): Promise<void> {
    const { group } = one;
    const started = this.#turnover.grow(group);
    if (started === undefined) return;
    try {
      await started;
      one.grown++;
      this.#events.onScaled(group, { from, to: from + 1, ...seen });
    } catch (error) {
      one.notBefore = performance.now() + RETRY_MS;
      if ((error as LoopShardError).code !== 'NOT_RUNNING') this.#events.onGrowFailed(group, error as LoopShardError);
    }
  }

  #shrink(one: ScaledGroup, from: number, seen: LoadInWindow): void {
    if (this.#turnover.shrink(one.group) === undefined) return;
    one.shrunk++;
    this.#events.onScaled(one.group, { from, to: from - 1, ...seen });
  }
}
