/**
 * Questions by message, from the bench to a server's process and from a cluster's first process to the others.
 * @typedef {import('node:child_process').ChildProcess | import('node:cluster').Worker} Other
 */

const PATIENCE_MS = 30_000;

/**
 * Answers questions by their names, in a server's process.
 * @param {Record<string, () => unknown>} answers
 */
export function answerQuestions(answers) {
  process.on('message', async (/** @type {{ question?: string }} */ { question }) => {
    if (question && answers[question]) process.send?.({ question, answer: await answers[question]() });
  });
}

/**
 * @param {Other} other
 * @param {string} question
 * @returns {Promise<any>}
 */
export function ask(other, question) {
  return new Promise((resolve, reject) => {
    const late = () => done(() => reject(new Error(`no reply to "${question}" within ${PATIENCE_MS / 1000} s`)));
    const timer = setTimeout(late, PATIENCE_MS);
    const onMessage = (/** @type {{ question?: string, answer?: unknown }} */ message) => {
      if (message.question === question) done(() => resolve(message.answer));
    };
    const onExit = () => done(() => reject(new Error(`it exited before it replied to "${question}"`)));
    const done = (/** @type {() => void} */ settle) => {
      clearTimeout(timer);
      other.off('message', onMessage);
      other.off('exit', onExit);
      settle();
    };
    other.on('message', onMessage);
    other.once('exit', onExit);
    other.send({ question });
  });
}

/** Returns the resident memory of this process in bytes: current, and maximum since its start. */
export function memory() {
  return { rss: process.memoryUsage.rss(), maxRss: process.resourceUsage().maxRSS * 1024 };
}
