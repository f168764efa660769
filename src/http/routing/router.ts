import type FindMyWay from 'find-my-way';
import { createRouter } from '../../app/routing.js';
import type { RouteTable } from '../../contract/messages.js';
import { METHODS, type Method } from '../../options/methods.js';

/** Results for a method and path without a route, and for an invalid path. */
export const NO_ROUTE = -1;
export const BAD_PATH = -2;

const ignore = () => {};

/** find-my-way over the route table that the shards reported. HTTP thread only. */
export class Router {
  readonly #router: FindMyWay.Instance<FindMyWay.HTTPVersion.V1>;

  constructor(table: RouteTable) {
    this.#router = createRouter({ onBadUrl: ignore, querystringParser: ignore as never });
    for (const [number, { methods, pattern }] of table.routes.entries()) this.add(methods, pattern, number);
  }

  /** @throws if one of the methods already has that pattern */
  add(methods: readonly Method[], pattern: string, number: number): void {
    this.#router.on([...methods], pattern, ignore, { number });
  }

  /** The number of the route, NO_ROUTE or BAD_PATH. */
  find(method: Method, path: string): number {
    const found = this.#router.find(method, path);
    if (found === null) return NO_ROUTE;
    // The route of onBadUrl has no store.
    return found.store === null ? BAD_PATH : found.store.number;
  }

  /** The parameters of a path, decoded. */
  params(method: Method, path: string): Record<string, string | undefined> {
    return this.#router.find(method, path)?.params ?? {};
  }

  /** The methods that have a route for `path`. */
  allowed(path: string): Method[] {
    return METHODS.filter((method) => this.find(method, path) >= 0);
  }
}
