/** Where a route runs. */
export interface RoutePlace {
  /** Such as `GET /users/:id`. */
  route: string;
  group: string;
  maxConcurrency: number | undefined;
}

/** How a route blocks others. Times in microseconds. */
export interface Blocked {
  route: string;
  /** How long others have waited because of it, added up, within `windowUs`. */
  blockedUs: number;
  windowUs: number;
  /** How long a slow request occupies the event loop. */
  loopP99Us: number;
}

/** Others must wait for a thousandth of the time, and of a minute, before it is worth changing something. */
const NOTABLE_SHARE = 0.001;
const LEAST_WINDOW_US = 60_000_000;
/** From here on, other requests should not share an event loop with a route. */
const LONG_US = 10_000;

const PARTS = 'Stream its response, do less at once, or `await` between the parts of its work.';

/**
 * Says what to do about routes that block others:
 *
 * - those that occupy an event loop for a short time: do it in parts
 * - those that occupy it for long: a group of their own, or a limit, so that they do not occupy all shards
 * - those that have a group of their own: only they themselves wait, and need more shards
 */
export class Hints {
  readonly #places: ReadonlyMap<string, RoutePlace>;
  /** Number of routes by group. */
  readonly #sizes = new Map<string, number>();

  constructor(places: readonly RoutePlace[]) {
    this.#places = new Map(places.map((place) => [place.route, place]));
    for (const { group } of places) this.#sizes.set(group, (this.#sizes.get(group) ?? 0) + 1);
  }

  /** Returns undefined if nothing needs to be done. */
  of({ route, blockedUs, windowUs, loopP99Us }: Blocked): string | undefined {
    if (blockedUs < Math.max(windowUs, LEAST_WINDOW_US) * NOTABLE_SHARE) return undefined;
    const place = this.#places.get(route);
    // The handler for requests that no route matches cannot be moved.
    if (place === undefined || loopP99Us < LONG_US) return PARTS;
    const { group, maxConcurrency } = place;
    if (this.#sizes.get(group) === 1)
      return `Only its own requests wait: add shards to group \`${group}\`, or split the work.`;
    if (maxConcurrency !== undefined)
      return 'Give it a `group` of its own: `maxConcurrency` only keeps it off other shards.';
    return 'Give it a `group` of its own, or limit it with `maxConcurrency` so that some shards stay free.';
  }
}
