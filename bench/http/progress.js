import { count } from './format.js';

const LABEL_WIDTH = 44;

// Progress goes to standard error, so that the report can be redirected to a file.

/** @param {string} text */
export function beginStep(text) {
  process.stderr.write(`${text} `.padEnd(LABEL_WIDTH));
}

/** @param {import('./rounds.js').Measurement} measurement */
export function endStep({ requestsPerSecond, p50Us, p99Us }) {
  const rate = count(requestsPerSecond).padStart(9);
  say(`${rate} requests/s   p50 ${count(p50Us)} µs   p99 ${count(p99Us)} µs`);
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
}
