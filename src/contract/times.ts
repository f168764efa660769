import { createHistogram, type Histogram } from 'node:perf_hooks';
import { MAX_BATCH } from '../../assembly/layout.js';

const HIGHEST_US = 3_600_000_000;

/**
 * What a shard tells of its times, in microseconds, and of its claims: HDR histograms as Node.js has them (Gil Tene's HdrHistogram). To record
 * takes 35 ns, and clones on other threads see the same counts.
 */
export class Times {
  readonly queueTime = createTimes();
  readonly handlerTime = createTimes();
  readonly batchSize = createHistogram({ lowest: 1, highest: MAX_BATCH, figures: 2 });

  /** A handler starts that was submitted `us` ago. */
  recordQueue(us: number): void {
    this.queueTime.record(clamp(us));
  }

  /** A handler has settled that was started `us` ago. */
  recordHandler(us: number): void {
    this.handlerTime.record(clamp(us));
  }

  /** A claim has taken `slots` slots. */
  recordBatch(slots: number): void {
    this.batchSize.record(slots);
  }
}

function createTimes() {
  return createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 2 });
}

/** The histogram takes no zero; and clocks of two threads may differ by a tick. */
function clamp(us: number): number {
  return Math.max(us, 1);
}

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
