import type { Histogram } from 'node:perf_hooks';

/** Times of a shard since it was started, in microseconds. The figures are off by 1 % at the most. */
export interface TimeSummary {
  count: number;
  mean: number;
  min: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** A moment's figures; zeros before the first time was recorded. */
export function summarize(times: Histogram | undefined): TimeSummary {
  if (times === undefined || times.count === 0) {
    return { count: 0, mean: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  }
  return {
    count: times.count,
    mean: times.mean,
    min: times.min,
    p50: times.percentile(50),
    p90: times.percentile(90),
    p99: times.percentile(99),
    p999: times.percentile(99.9),
    max: times.max,
  };
}
