// A competing process of normal priority that uses one core.
import { answerQuestions } from './questions.js';

const SLICE_MS = 5;

let since = performance.now();
let before = process.cpuUsage();

/** Returns how many cores this process has used since the last call. */
function cores() {
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1_000 / (performance.now() - since);
  since = performance.now();
  before = process.cpuUsage();
  return share;
}

function burn() {
  const end = performance.now() + SLICE_MS;
  while (performance.now() < end);
  setImmediate(burn);
}

answerQuestions({ cores });
process.once('disconnect', () => process.exit(0));
burn();
