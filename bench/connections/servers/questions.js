import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answerQuestions } from '../../scheduling/servers/questions.js';

/**
 * Answers what the bench asks of every server.
 * @param {Record<string, () => unknown>} answers
 */
export function answerBench(answers) {
  answerQuestions({ memory, watchLoop, loopDelays, ...answers });
}

/** Resident memory in bytes; without garbage where the process was started with --expose-gc. */
function memory() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** Between two looks at the loop, which are timers. */
const RESOLUTION_MS = 1;
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

/** Watches this thread's event loop from now on: LoopShard's HTTP thread, or what the other servers have. */
function watchLoop() {
  loop.reset();
  return loop.enable();
}

/** How late the timers of the loop were since then, in microseconds. */
function loopDelays() {
  loop.disable();
  // The histogram has the times between two looks, resolution included.
  const late = (/** @type {number} */ ns) => Math.max(0, ns / 1_000 - RESOLUTION_MS * 1_000);
  return { p50Us: late(loop.percentile(50)), p99Us: late(loop.percentile(99)), maxUs: late(loop.max) };
}
