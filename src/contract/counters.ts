import {
  COUNTER_BATCHES_OFFSET,
  COUNTER_LONG_MEAN_OFFSET,
  COUNTER_LOST_WAKE_UPS_OFFSET,
  COUNTER_PARKS_OFFSET,
  COUNTER_SHORT_MEAN_OFFSET,
  COUNTER_STARTED_OFFSET,
  COUNTER_STEALS_OFFSET,
  SHARD_COUNTERS_OFFSET,
} from '../../assembly/layout.js';

/** What a shard counts of itself, read from the HTTP thread. The words wrap at 2³². */
export interface ShardCounters {
  /** Handlers that were started, of stolen requests too. */
  requests: number;
  /** Batches that were claimed. */
  batches: number;
  /** Requests that were claimed from the rings of other shards of the group. */
  steals: number;
  /** Times the shard parked. */
  parks: number;
  /** Requests that no doorbell announced. Zero, or there is a bug. */
  lostWakeUps: number;
  /** What adaptive permits go by: mean handler times in microseconds. 0 with a fixed number of permits. */
  shortMeanUs: number;
  longMeanUs: number;
}

export function readCounters(i32: Int32Array, control: number): ShardCounters {
  const word = (control + SHARD_COUNTERS_OFFSET) >> 2;
  const read = (offset: number) => Atomics.load(i32, word + (offset >> 2)) >>> 0;
  return {
    requests: read(COUNTER_STARTED_OFFSET),
    batches: read(COUNTER_BATCHES_OFFSET),
    steals: read(COUNTER_STEALS_OFFSET),
    parks: read(COUNTER_PARKS_OFFSET),
    lostWakeUps: read(COUNTER_LOST_WAKE_UPS_OFFSET),
    shortMeanUs: read(COUNTER_SHORT_MEAN_OFFSET),
    longMeanUs: read(COUNTER_LONG_MEAN_OFFSET),
  };
}
