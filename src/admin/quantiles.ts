import { TIME_BOUNDS_US } from '../contract/route-times.js';

/**
 * Estimates a quantile of times that were counted in buckets, as if those of a bucket were spread evenly. Times above the last bound count as
 * that bound.
 * @param buckets counts by bucket, as in `TimeCounts`
 * @param q 0 to 1
 * @returns microseconds; undefined without times
 */
export function quantileUs(buckets: readonly number[], q: number): number | undefined {
  const count = buckets.reduce((sum, inBucket) => sum + inBucket, 0);
  if (count === 0) return undefined;
  let below = 0;
  for (const [index, inBucket] of buckets.entries()) {
    if (inBucket > 0 && below + inBucket >= q * count) {
      const from = TIME_BOUNDS_US[index - 1] ?? 0;
      const to = TIME_BOUNDS_US[index] ?? from;
      return from + ((to - from) * (q * count - below)) / inBucket;
    }
    below += inBucket;
  }
  return TIME_BOUNDS_US.at(-1);
}
