import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answerQuestions } from '../../scheduling/servers/questions.js';

/**
 * Answers the questions that the bench asks every server.
 * @param {Record<string, () => unknown>} answers
 */
export function answerBench(answers) {
  answerQuestions({ memory, watchLoop, loopDelays, ...answers });
}

/** Resident memory in bytes; without garbage if the process was started with --expose-gc. */
function memory() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** Interval of the timers that observe the event loop. */
const RESOLUTION_MS = 1;
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

/** Starts to watch this thread's event loop: that of LoopShard's HTTP thread, or of another server. */
function watchLoop() {
  loop.reset();
  return loop.enable();
}

/** Returns the delay of the timers since then, in microseconds. */
function loopDelays() {
  loop.disable();
  // The histogram contains the times between timers, including their interval.
  const late = (/** @type {number} */ ns) => Math.max(0, ns / 1_000 - RESOLUTION_MS * 1_000);
  return { p50Us: late(loop.percentile(50)), p99Us: late(loop.percentile(99)), maxUs: late(loop.max) };
}
