import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../http/children.js';
import { BenchError } from '../http/errors.js';
import { ask } from '../scheduling/servers/questions.js';

/** @typedef {import('../http/server-process.js').RunningServer} RunningServer */

export const SLOW_CONNECTIONS = 1_000;
const CONNECTIONS_PER_SECOND = 500;

/** Longer than any load; the bench ends it. */
const LENGTH_SECONDS = 600;
const POLL_MS = 100;
/** Some connections end before the last ones are open. */
const ENOUGH = 0.9;
/** Time for the last connections to open and for the cost of opening to pass: only open connections are measured. */
const SETTLE_MS = 2_000;

/** The arguments of each attack. */
export const ATTACKS = {
  'slow heads (-H)': { path: '', args: ['-H', '-i', '5', '-x', '24', '-t', 'GET'] },
  'slow bodies (-B)': {
    path: 'upload',
    args: ['-B', '-i', '5', '-x', '24', '-t', 'POST', '-s', '8192', '-f', 'text/plain'],
  },
  'slow reads (-X)': { path: 'large', args: ['-X', '-w', '512', '-y', '1024', '-n', '5', '-z', '32', '-k', '3'] },
};

/** @returns {string | undefined} undefined if it is not installed */
export function slowhttptestVersion() {
  const { error, stdout, stderr } = spawnSync('slowhttptest', ['-h'], { encoding: 'utf8' });
  return error ? undefined : (`${stdout}${stderr}`.match(/version (\S+)/)?.[1] ?? 'of unknown version');
}

/**
 * Starts an attack and waits until its connections are open.
 * @param {RunningServer} server
 * @param {{ path: string, args: string[] }} attack
 * @returns {Promise<() => Promise<number>>} ends it, and returns how many connections the server had then
 */
export async function attack(server, { path, args }) {
  const common = ['-c', SLOW_CONNECTIONS, '-r', CONNECTIONS_PER_SECOND, '-l', LENGTH_SECONDS, '-p', 60, '-v', 0];
  const child = startChild('slowhttptest', [...args, ...common.map(String), '-u', `${server.url}${path}`]);
  child.stdout.resume();
  const ended = once(child, 'exit');
  const deadline = performance.now() + (3_000 * SLOW_CONNECTIONS) / CONNECTIONS_PER_SECOND;
  while ((await ask(server.child, 'connections')) < ENOUGH * SLOW_CONNECTIONS) {
    if (performance.now() > deadline) throw new BenchError(`slowhttptest ${args[0]} could not open its connections.`);
    await sleep(POLL_MS);
  }
  await sleep(SETTLE_MS);
  return async () => {
    const connections = await ask(server.child, 'connections');
    child.kill('SIGKILL');
    await ended;
    return connections;
  };
}
