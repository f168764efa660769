import type { RouteTraits } from './exchange.js';

/** Expected size of a response before any response of its route was seen. */
export const UNKNOWN_BYTES = 64 * 1024;
/** Fraction of the difference by which a smaller response reduces the expected size, as a shift. */
const DECAY_SHIFT = 4;

/** Updates the expected size: the first response and larger ones count in full, smaller ones reduce it gradually. */
export function learnBytes(route: RouteTraits, bytes: number): void {
  const { responseBytes } = route;
  const isNews = responseBytes === UNKNOWN_BYTES || bytes >= responseBytes;
  route.responseBytes = isNews ? bytes : responseBytes - ((responseBytes - bytes) >> DECAY_SHIFT);
}
