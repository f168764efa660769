import type { RequestInHand } from '../parser/request-in-hand.js';

const ENTRIES = 256;
/** Longer targets are not cached. */
const MAX_TARGET_BYTES = 96;
const QUESTION_MARK = 0x3f;

/** A target and its route. */
interface Entry {
  method: number;
  target: Uint8Array;
  route: number;
}

/**
 * Remembers the routes of recent targets, by their bytes: recognizing a repeated target costs a tenth of decoding and routing it. A route
 * depends only on method and path, so no entry goes stale; a target may replace another one's entry.
 */
export class RouteCache {
  readonly #entries: (Entry | undefined)[] = new Array(ENTRIES).fill(undefined);

  /** The route of the request's target, or -1 if unknown. */
  find(request: RequestInHand, method: number): number {
    const { headSource, headStart, targetBytes } = request;
    const entry = this.#entries[place(headSource, headStart, targetBytes, method)];
    if (entry === undefined || entry.method !== method || entry.target.length !== targetBytes) return -1;
    const { target } = entry;
    for (let i = targetBytes - 1; i >= 0; i--) if (target[i] !== headSource[headStart + i]) return -1;
    return entry.route;
  }

  /** Remembers the route, unless the target is too long or has a query, which is seldom repeated. */
  remember(request: RequestInHand, method: number, route: number): void {
    const { headSource, headStart, targetBytes } = request;
    if (targetBytes > MAX_TARGET_BYTES) return;
    const target = Uint8Array.from(headSource.subarray(headStart, headStart + targetBytes));
    if (target.includes(QUESTION_MARK)) return;
    this.#entries[place(headSource, headStart, targetBytes, method)] = { method, target, route };
  }
}

/** Computed from the length and the last bytes, in which targets differ most. */
function place(bytes: Uint8Array, start: number, length: number, method: number): number {
  const end = start + length;
  const tail = length > 3 ? bytes[end - 1] + bytes[end - 2] * 3 + bytes[end - 3] * 5 : bytes[end - 1];
  return (tail + length * 7 + method * 31) & (ENTRIES - 1);
}
