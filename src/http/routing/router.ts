import { createRouter, type PathRouter } from '../../app/routing.js';
import type { RouteTable } from '../../contract/messages.js';
import { ALL_METHODS, type AnyMethod } from '../../options/methods.js';

/** Results for a method and path without a route, and for an invalid path. */
export const NO_ROUTE = -1;
export const BAD_PATH = -2;

const ignore = () => {};

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Tests whether a target lies below the pattern of a route: its parameters match any segment. */
function prefixTest(pattern: string): RegExp {
  const segments = pattern
    .replace(/\/?\*?$/, '')
    .split('/')
    .slice(1);
  const path = segments.map((segment) => `/${segment.startsWith(':') ? '[^/?]+' : escapePattern(segment)}`).join('');
  return path === '' ? /^/ : new RegExp(`^${path}(?:[/?]|$)`);
}

/** find-my-way over the route table that the shards reported. HTTP thread only. */
export class Router {
  /** Routes that get every target below their pattern. */
  readonly #anyTarget: { matches: RegExp; number: number; pattern: string }[] = [];
  readonly #router: PathRouter;

  constructor(table: RouteTable) {
    this.#router = createRouter({ onBadUrl: ignore, querystringParser: ignore as never });
    for (const [number, { methods, pattern, takesAnyTarget }] of table.routes.entries()) {
      this.add(methods, pattern, number);
      if (takesAnyTarget === true) this.#anyTarget.push({ matches: prefixTest(pattern), number, pattern });
    }
    // The longest prefix first.
    this.#anyTarget.sort((one, other) => other.pattern.length - one.pattern.length);
  }

  /** @throws if one of the methods already has that pattern */
  add(methods: readonly AnyMethod[], pattern: string, number: number): void {
    this.#router.on([...methods], pattern, ignore, { number });
  }

  /** The number of the route, NO_ROUTE or BAD_PATH. */
  find(method: AnyMethod, path: string): number {
    const found = this.#router.find(method, path);
    if (found === null) return NO_ROUTE;
    // The route of onBadUrl has no store.
    return found.store === null ? BAD_PATH : (found.store as { number: number }).number;
  }

  /** The parameters of a path, decoded. */
  params(method: AnyMethod, path: string): Record<string, string | undefined> {
    return this.#router.find(method, path)?.params ?? {};
  }

  /** The methods that have a route for `path`. */
  allowed(path: string): AnyMethod[] {
    return ALL_METHODS.filter((method) => this.find(method, path) >= 0);
  }

  /** The route that also gets targets that are not valid URLs, or that no other route matches; or NO_ROUTE. */
  findAny(target: string): number {
    const found = this.#anyTarget.find(({ matches }) => matches.test(target));
    return found === undefined ? NO_ROUTE : found.number;
  }
}
