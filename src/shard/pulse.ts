import { url as inspectorUrl } from 'node:inspector';
import { constants, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks';
import { setInterval } from 'node:timers';
import { getHeapStatistics } from 'node:v8';
import { COUNTER_INSPECTED_OFFSET } from '../../assembly/layout.js';
import type { CounterWriter } from '../contract/counters.js';
import type { ShardReport } from '../contract/messages.js';

const LOOK_MS = 1_000;
/** A shard that needs more heap from the start would be replaced over and over. */
const SETTLED_MS = 10_000;
const MIB = 2 ** 20;

/** Publishes once a second whether an inspector of this thread is open: then the thread may be halted without being stuck. Shard only. */
export function publishInspected(counters: CounterWriter): void {
  const look = () => counters.put(COUNTER_INSPECTED_OFFSET, inspectorUrl() === undefined ? 0 : 1);
  look();
  setInterval(look, LOOK_MS).unref();
}

/**
 * Reports once that the heap is larger than `maxHeapMb` after a major garbage collection; what is measured at other times is mostly garbage.
 * Shard only.
 * @param settledMs how long nothing is reported
 */
export function watchHeap(maxHeapMb: number, report: (message: ShardReport) => void, settledMs = SETTLED_MS): void {
  if (maxHeapMb === 0) return;
  const begin = performance.now();
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[];
    const isMajor = entries.some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
    if (!isMajor || performance.now() - begin < settledMs) return;
    const heapMb = getHeapStatistics().used_heap_size / MIB;
    if (heapMb <= maxHeapMb) return;
    observer.disconnect();
    report({ type: 'heapFull', heapMb });
  });
  observer.observe({ entryTypes: ['gc'] });
}
