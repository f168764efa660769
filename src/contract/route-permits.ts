import { MAX_LIMITED_ROUTES } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { Semaphore } from '../core/semaphore.js';
import { LoopShardError } from '../errors.js';
import { type MemoryMap, routePermitsAddress } from './memory-map.js';
import type { RouteEntry, RouteTable } from './messages.js';

/** A route's name in messages and stats, such as `GET /report` or `upgrade /chat`. */
export function routeName({
  methods,
  pattern,
  upgrades,
}: Pick<RouteEntry, 'methods' | 'pattern'> & { upgrades?: object }): string {
  return `${upgrades === undefined ? methods[0] : 'upgrade'} ${pattern}`;
}

/** The routes with `maxConcurrency`: the index of each is that of its semaphore. */
export function limitedRoutes({ routes }: RouteTable): RouteEntry[] {
  return routes.filter(({ scheduling }) => scheduling.maxConcurrency !== undefined);
}

/**
 * Creates the semaphores of the limited routes. Control thread, before an HTTP thread sees the table.
 * @throws LoopShardError ROUTE_INVALID if there are too many of them
 */
export function createRoutePermits(core: CoreMemory, map: MemoryMap, table: RouteTable): void {
  for (const [index, route] of limitedRoutes(table).entries()) {
    if (index === MAX_LIMITED_ROUTES) {
      throw new LoopShardError(
        'ROUTE_INVALID',
        `Route \`${routeName(route)}\` cannot have \`maxConcurrency\`: the limit of ${MAX_LIMITED_ROUTES} such routes is reached.`,
      );
    }
    Semaphore.create(core, route.scheduling.maxConcurrency!, routePermitsAddress(map, index));
  }
}
