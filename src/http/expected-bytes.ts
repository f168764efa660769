import type { RouteTraits } from './exchange.js';

/** What a response is thought to take before any of its route was seen. */
export const UNKNOWN_BYTES = 64 * 1024;
/** How much of the difference a smaller response takes off what responses of its route are thought to take. */
const DECAY_SHIFT = 4;

/** The first response of a route and a larger one count at once; smaller ones let the figure shrink by a part. */
export function learnBytes(route: RouteTraits, bytes: number): void {
  const { responseBytes } = route;
  const isNews = responseBytes === UNKNOWN_BYTES || bytes >= responseBytes;
  route.responseBytes = isNews ? bytes : responseBytes - ((responseBytes - bytes) >> DECAY_SHIFT);
}
