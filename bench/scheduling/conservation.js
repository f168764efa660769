import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from '../http/errors.js';
import { ask } from './servers/questions.js';

/** @typedef {import('../http/server-process.js').RunningServer} RunningServer */

const CONSERVED_WITHIN_MS = 15_000;
const AT_REST_WITHIN_MS = 60_000;
const POLL_MS = 50;
const PROMPT_MS = 50;

/**
 * Waits until a LoopShard server has no outstanding requests and all of its resources are free.
 * @param {RunningServer} server
 * @returns {Promise<string | undefined>} the resources that are not free after a time limit
 */
export async function findLoss(server) {
  const deadline = performance.now() + CONSERVED_WITHIN_MS;
  for (;;) {
    /** @type {import('loopshard').ServerStats} */
    const stats = await ask(server.child, 'stats');
    const loss = lossOf(stats);
    if (loss === undefined || performance.now() > deadline) return loss;
    await sleep(POLL_MS);
  }
}

/** @param {import('loopshard').ServerStats} stats */
function lossOf({ slots, outstanding, shards, lostWakeUps }) {
  const losses = [];
  if (slots.free !== slots.total) losses.push(`${slots.total - slots.free} slots`);
  if (outstanding !== 0) losses.push(`${outstanding} outstanding requests`);
  if (lostWakeUps !== 0) losses.push(`${lostWakeUps} lost wake-ups of the HTTP thread`);
  for (const { shard, permits, queued, outstanding: owed, lostWakeUps: lost } of shards) {
    if (permits.available !== permits.limit) {
      losses.push(`shard ${shard}: ${permits.limit - permits.available} permits`);
    }
    if (queued + owed !== 0) losses.push(`shard ${shard}: ${queued} queued, ${owed} outstanding`);
    if (lost !== 0) losses.push(`shard ${shard}: ${lost} lost wake-ups`);
  }
  return losses.length > 0 ? losses.join(', ') : undefined;
}

/**
 * Waits until a server responds immediately, so that the previous load does not affect the next one.
 * @param {RunningServer} server
 */
export async function comeToRest({ url, peer }) {
  const deadline = performance.now() + AT_REST_WITHIN_MS;
  while ((await answerMs(`${url}livez`)) > PROMPT_MS) {
    if (performance.now() > deadline) throw new BenchError(`${peer.title} is still busy long after a load.`);
    await sleep(POLL_MS);
  }
}

/**
 * @param {string} url
 * @returns {Promise<number>} infinite without a response with status 200
 */
function answerMs(url) {
  const start = performance.now();
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false }, (response) => {
      response.resume().once('close', () => {
        resolve(response.statusCode === 200 ? performance.now() - start : Number.POSITIVE_INFINITY);
      });
    });
    request.once('error', () => resolve(Number.POSITIVE_INFINITY));
  });
}
