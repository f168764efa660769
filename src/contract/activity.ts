import {
  OWNER_SHIFT,
  OWNER_STATE_MASK,
  SLOT_BOUND_STATE,
  SLOT_CLAIMED_STATE,
  SLOT_COMPLETED_STATE,
  SLOT_NO_START,
  SLOT_OWNER_OFFSET,
  SLOT_ROUTE_OFFSET,
  SLOT_STARTED_AT_OFFSET,
  SLOT_STARTED_STATE,
  SLOT_SUBMITTED_AT_OFFSET,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import { elapsedUs } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import { httpAddresses, type MemoryMap, slotAddress, slotRange } from './memory-map.js';

/** Routes that are listed by themselves; the count of a list covers all of them. */
const MAX_ROUTES = 8;

/** Requests of one route. */
export interface RouteActivity {
  /** Its number, or -1 for requests without a route. */
  route: number;
  count: number;
  /** How long the oldest of them has waited, or has been in flight, in microseconds. */
  us: number;
}

export interface ActivityList {
  /** Of all routes. */
  count: number;
  /** At most 8, by the time of their oldest request. */
  routes: RouteActivity[];
}

/** What the requests of a shard are doing. */
export interface ShardActivity {
  /** Handlers that were called and have not settled, and requests whose bodies are still being received. Streams are not included. */
  inFlight: ActivityList;
  /** Requests in its rings, and those that it has claimed and not started. */
  waiting: ActivityList;
}

/** The requests of one shard, while slots are being read. */
interface Collected {
  inFlight: Map<number, RouteActivity>;
  waiting: Map<number, RouteActivity>;
}

/**
 * Reads what all requests are doing right now, from their slots. The slots belong to other threads, which change them meanwhile, so a list can
 * miss or repeat a request. Any thread.
 */
export class ActivityReader {
  readonly #i32: Int32Array;
  readonly #map: MemoryMap;

  constructor({ i32 }: CoreMemory, map: MemoryMap) {
    this.#i32 = i32;
    this.#map = map;
  }

  /**
   * Returns the activity of each shard, by its number.
   * @param now microseconds of the server's clock
   */
  read(now: number): ShardActivity[] {
    const shards = Array.from(
      { length: this.#map.shards },
      (): Collected => ({
        inFlight: new Map(),
        waiting: new Map(),
      }),
    );
    for (let http = 0; http < this.#map.httpThreads; http++) this.#readSlotsOf(http, shards, now);
    return shards.map(({ inFlight, waiting }) => ({ inFlight: listOf(inFlight), waiting: listOf(waiting) }));
  }

  /** Stops when all outstanding requests are found: the most recently released slots are used first, so it seldom looks at many. */
  #readSlotsOf(http: number, shards: readonly Collected[], now: number): void {
    let left = this.#outstanding(http);
    const { first, end } = slotRange(this.#map, http);
    for (let slot = first; slot < end && left > 0; slot++) if (this.#readSlot(slot, shards, now)) left--;
  }

  #outstanding(http: number): number {
    const word = httpAddresses(this.#map, http).outstanding >> 2;
    let sum = 0;
    for (let shard = 0; shard < this.#map.shards; shard++) sum += Atomics.load(this.#i32, word + shard);
    return sum;
  }

  /** Returns whether the slot is with a shard. */
  #readSlot(slot: number, shards: readonly Collected[], now: number): boolean {
    const word = slotAddress(this.#map, slot) >> 2;
    const owner = Atomics.load(this.#i32, word + (SLOT_OWNER_OFFSET >> 2));
    const state = owner & OWNER_STATE_MASK;
    const shard = shards[owner >>> OWNER_SHIFT];
    switch (state) {
      case SLOT_COMPLETED_STATE:
        return true;
      case SLOT_STARTED_STATE:
        this.#add(shard.inFlight, word, now);
        return true;
      case SLOT_SUBMITTED_STATE:
      case SLOT_BOUND_STATE:
      case SLOT_CLAIMED_STATE:
        this.#add(shard.waiting, word, now);
        return true;
      default:
        return false;
    }
  }

  /** Adds the request of the slot at `word`. Only the start of a handler sets the time at which it was called. */
  #add(routes: Map<number, RouteActivity>, word: number, now: number): void {
    const route = this.#i32[word + (SLOT_ROUTE_OFFSET >> 2)];
    const calledAt = this.#i32[word + (SLOT_STARTED_AT_OFFSET >> 2)];
    const since = calledAt === SLOT_NO_START ? this.#i32[word + (SLOT_SUBMITTED_AT_OFFSET >> 2)] : calledAt;
    const us = Math.max(0, elapsedUs(now, since));
    const known = routes.get(route);
    if (known === undefined) {
      routes.set(route, { route, count: 1, us });
      return;
    }
    known.count++;
    known.us = Math.max(known.us, us);
  }
}

function listOf(collected: Map<number, RouteActivity>): ActivityList {
  const routes = [...collected.values()].sort((a, b) => b.us - a.us);
  return { count: routes.reduce((sum, { count }) => sum + count, 0), routes: routes.slice(0, MAX_ROUTES) };
}
