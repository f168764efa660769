import { createRouter, type PathRouter } from '../../app/routing.js';
import type { RouteTable } from '../../contract/messages.js';
import { ALL_METHODS, type AnyMethod } from '../../options/methods.js';
import { offersOneOf } from '../../options/protocols.js';

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

/** What is stored with the pattern of a route that gets only requests that offer other protocols. */
interface UpgradeRoute {
  number: number;
  protocols: ReadonlySet<string>;
}

function newRouter(): PathRouter {
  return createRouter({ onBadUrl: ignore, querystringParser: ignore as never });
}

function numberOf(found: ReturnType<PathRouter['find']>): number {
  if (found === null) return NO_ROUTE;
  // The route of onBadUrl has no store.
  return found.store === null ? BAD_PATH : (found.store as { number: number }).number;
}

/** find-my-way over the route table that the shards reported. HTTP thread only. */
export class Router {
  /** Routes that get every target below their pattern. */
  readonly #anyTarget: { matches: RegExp; number: number; pattern: string }[] = [];
  readonly #router: PathRouter;
  /** Of the routes that get only requests that offer another protocol; undefined if there are none. */
  #upgrades: PathRouter | undefined;

  constructor(table: RouteTable) {
    this.#router = newRouter();
    for (const [number, { methods, pattern, takesAnyTarget, upgrades }] of table.routes.entries()) {
      if (upgrades !== undefined) this.#addUpgrade(methods, pattern, { number, protocols: new Set(upgrades) });
      else this.add(methods, pattern, number);
      if (takesAnyTarget === true) this.#anyTarget.push({ matches: prefixTest(pattern), number, pattern });
    }
    // The longest prefix first.
    this.#anyTarget.sort((one, other) => other.pattern.length - one.pattern.length);
  }

  #addUpgrade(methods: readonly AnyMethod[], pattern: string, route: UpgradeRoute): void {
    this.#upgrades ??= newRouter();
    this.#upgrades.on([...methods], pattern, ignore, route);
  }

  /** @throws if one of the methods already has that pattern */
  add(methods: readonly AnyMethod[], pattern: string, number: number): void {
    this.#router.on([...methods], pattern, ignore, { number });
  }

  /** The number of the route, NO_ROUTE or BAD_PATH. */
  find(method: AnyMethod, path: string): number {
    return numberOf(this.#router.find(method, path));
  }

  get hasUpgrades(): boolean {
    return this.#upgrades !== undefined;
  }

  /**
   * The number of the route for a request that offers other protocols, if one takes only such requests; otherwise NO_ROUTE or BAD_PATH.
   * @param offer value of its `Upgrade` field
   */
  findUpgrade(method: AnyMethod, path: string, offer: string | undefined): number {
    const found = this.#upgrades?.find(method, path) ?? null;
    const isTaken =
      found === null || found.store === null || offersOneOf((found.store as UpgradeRoute).protocols, offer);
    return isTaken ? numberOf(found) : NO_ROUTE;
  }

  /**
   * The parameters of a path, decoded.
   * @param offersUpgrade the request offers another protocol, which the route may take
   */
  params(method: AnyMethod, path: string, offersUpgrade: boolean): Record<string, string | undefined> {
    const upgrade = offersUpgrade ? this.#upgrades?.find(method, path) : undefined;
    return (upgrade ?? this.#router.find(method, path))?.params ?? {};
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
