/* Differences between a suite's results on node:http and on LoopShard, and why they are as they should be. */

/** @type {readonly import('./verdict.js').Known[]} */
export const KNOWN = [];
