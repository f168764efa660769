import { createHistogram, type Histogram } from 'node:perf_hooks';
import { MAX_BATCH } from '../../assembly/layout.js';
import type { RouteTimesWriter } from './route-times.js';

const HIGHEST_US = 3_600_000_000;

/**
 * Times of a shard in microseconds, and its claim sizes, as Node.js's HDR histograms (Gil Tene's HdrHistogram). Recording takes 35 ns, and
 * clones on other threads see the same counts.
 */
export class Times {
  readonly queueTime = createTimes();
  readonly handlerTime = createTimes();
  readonly batchSize = createHistogram({ lowest: 1, highest: MAX_BATCH, figures: 2 });
  /** The same times by route, if metrics are enabled. */
  routes: RouteTimesWriter | undefined;

  /** Records that a handler of `route` has started `us` after its submission. */
  recordQueue(us: number, route: number): void {
    const time = clamp(us);
    this.queueTime.record(time);
    this.routes?.started(route, time);
  }

  /** Records that a handler has settled `us` after its start. */
  recordHandler(us: number): void {
    this.handlerTime.record(clamp(us));
  }

  /** Records a claim of `slots` slots. */
  recordBatch(slots: number): void {
    this.batchSize.record(slots);
  }
}

function createTimes() {
  return createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 2 });
}

/** The histogram rejects zero, and the clocks of two threads may differ by a tick. */
function clamp(us: number): number {
  return Math.max(us, 1);
}

/** Summary of an HDR histogram. Its figures are off by at most 1 %. */
export interface Summary {
  /** How many values were recorded. */
  count: number;
  /** Arithmetic mean. */
  mean: number;
  /** Smallest value. */
  min: number;
  /** Median. */
  p50: number;
  /** 90th percentile. */
  p90: number;
  /** 99th percentile. */
  p99: number;
  /** 99.9th percentile. */
  p999: number;
  /** Largest value. */
  max: number;
}

/** Current figures; zeros before anything was recorded. */
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
