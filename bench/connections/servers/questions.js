import { answerQuestions } from '../../scheduling/servers/questions.js';

/**
 * Answers what the bench asks of every server.
 * @param {Record<string, () => unknown>} answers
 */
export function answerBench(answers) {
  answerQuestions({ memory, ...answers });
}

/** Resident memory in bytes; without garbage where the process was started with --expose-gc. */
function memory() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
