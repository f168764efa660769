import { NO_EXTENT, SLOT_FREE_STATE, SLOT_OWNER_OFFSET, SLOT_ROUTE_PERMIT_FLAG } from '../../assembly/layout.js';
import { Doorbell } from '../core/doorbell.js';
import type { CoreMemory } from '../core/memory.js';
import { Semaphore } from '../core/semaphore.js';
import { httpOwned } from './extents.js';
import { HttpSide } from './http-side.js';
import { httpAddresses, type MemoryMap, routePermitsAddress, slotAddress } from './memory-map.js';
import type { RequestName, RouteTable } from './messages.js';
import { limitedRoutes } from './route-permits.js';

/**
 * Takes back what an exited HTTP thread owned: acts as that thread until the next one is prepared. Requests that no shard has started end
 * with their connections. Slots that shards have started stay theirs until they are given back. Control thread.
 */
export class HttpRecovery {
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #side: HttpSide;
  readonly #routes: RouteTable['routes'];
  readonly #limited: RouteTable['routes'];
  /** Slots that shards have started and not given back. */
  readonly #unsettled = new Set<number>();

  /** @param http the number of the thread, which has exited */
  constructor(core: CoreMemory, map: MemoryMap, http: number, table: RouteTable) {
    this.#core = core;
    this.#map = map;
    this.#side = new HttpSide(core, map, http);
    this.#routes = table.routes;
    this.#limited = limitedRoutes(table);
    Doorbell.attach(core, httpAddresses(map, http).doorbell).unpark();
    this.#endStreams();
    this.#side.figures.reset();
    const { first, end } = this.#side.range;
    for (let slot = first; slot < end; slot++) {
      if (!this.#takeBack(slot)) this.#unsettled.add(slot);
    }
    this.reap();
    const records = [...this.#unsettled].map((slot) => this.#side.extents.at(this.#side.views[slot].record));
    this.#side.extents.reclaimOthers(httpOwned(http), new Set(records));
  }

  /** Its streams have ended with its connections: releases the permits of routes that they held without a slot. */
  #endStreams(): void {
    for (let index = 0; index < this.#limited.length; index++) {
      const count = this.#side.figures.streaming(index);
      if (count > 0) Semaphore.attach(this.#core, routePermitsAddress(this.#map, index)).release(count);
    }
  }

  /** Slots that shards have started and not given back, for the next thread to wait for. */
  get unsettled(): number[] {
    return [...this.#unsettled];
  }

  /** The requests in those slots. */
  get requests(): RequestName[] {
    return this.unsettled.map((slot) => ({ slot, sequence: this.#side.views[slot].sequence }));
  }

  /** Takes back what shards have completed since. Returns whether more is outstanding. */
  reap(): boolean {
    for (let shard = 0; shard < this.#map.shards; shard++) this.#drain(shard);
    return this.#unsettled.size > 0;
  }

  /** Takes back the slots of `shard`, whose thread has exited before the next HTTP thread is prepared. */
  reclaim(shard: number): void {
    for (const slot of this.#unsettled) {
      if (!this.#settle(slot, shard) && this.#side.reclaim(slot, shard)) this.#giveBack(slot, NO_EXTENT);
    }
  }

  /**
   * Empties the completion ring of `shard`. Of slots that were taken back, only entries are left. A slot that was started then may have
   * been completed since.
   */
  #drain(shard: number): void {
    for (let count = this.#side.poll(shard); count > 0; count = this.#side.poll(shard)) {
      for (let i = 0; i < count; i++) {
        const slot = this.#side.polled(i);
        if (this.#unsettled.has(slot)) this.#settle(slot, shard);
      }
    }
  }

  /** `false` unless `shard` has completed the slot. */
  #settle(slot: number, shard: number): boolean {
    if (!this.#side.takeOver(slot, shard)) return false;
    this.#giveBack(slot, this.#side.views[slot].responseExtent);
    return true;
  }

  #giveBack(slot: number, responseExtent: number): void {
    const { extents, views } = this.#side;
    for (const extent of [extents.at(views[slot].record), responseExtent]) {
      if (extent !== NO_EXTENT) extents.give(extent);
    }
    this.#free(slot);
    this.#unsettled.delete(slot);
  }

  /** Takes a slot back; `false` if a shard has started it. Shards keep running, so the owner may change between these attempts. */
  #takeBack(slot: number): boolean {
    for (;;) {
      if (this.#side.startedBy(slot) >= 0) return false;
      const completedBy = this.#side.completedBy(slot);
      const isTaken =
        completedBy >= 0 ? this.#side.takeOver(slot, completedBy) : this.#side.recall(slot) || this.#side.revoke(slot);
      if (!isTaken && !this.#side.isOwn(slot)) continue;
      this.#free(slot);
      return true;
    }
  }

  /** Frees a slot that this thread owns; it may be free already. */
  #free(slot: number): void {
    const index = (slotAddress(this.#map, slot) + SLOT_OWNER_OFFSET) >> 2;
    const { i32 } = this.#core;
    if (i32[index] === SLOT_FREE_STATE) return;
    const view = this.#side.views[slot];
    if (view.has(SLOT_ROUTE_PERMIT_FLAG)) {
      view.clear(SLOT_ROUTE_PERMIT_FLAG);
      const limited = this.#limited.indexOf(this.#routes[view.route]);
      Semaphore.attach(this.#core, routePermitsAddress(this.#map, limited)).release();
    }
    i32[index] = SLOT_FREE_STATE;
  }
}
