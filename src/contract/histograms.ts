import type { Histogram } from 'node:perf_hooks';

/** What an HDR histogram says. Its figures are off by 1 % at the most. */
export interface Summary {
  count: number;
  mean: number;
  min: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** A moment's figures; zeros before anything was recorded. */
export function summarize(histogram: Histogram | undefined): Summary {
  if (histogram === undefined || histogram.count === 0) {
    return { count: 0, mean: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  }
  return {
    count: histogram.count,
    mean: histogram.mean,
    min: histogram.min,
    p50: histogram.percentile(50),
    p90: histogram.percentile(90),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    max: histogram.max,
  };
}
