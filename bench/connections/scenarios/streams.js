import { count, milliseconds, ratio } from '../../http/format.js';
import { startServer } from '../../http/server-process.js';
import { BODY } from '../../http/servers/workload.js';
import { kind } from '../../scheduling/requests.js';
import { compareLoads, figureSpread } from '../../scheduling/samples.js';
import { ask } from '../../scheduling/servers/questions.js';
import { atLeast, atMost } from '../../scheduling/targets.js';
import { checkDescriptors, HELD_CONNECTIONS, hold } from '../held-connections.js';
import { EVENT_MS } from '../servers/answers.js';
import { LOOPSHARD, VARIANTS } from '../variants.js';

const PER_SECOND = 500;
const CONNECTIONS = 50;
const ALONE = 'alone';
const BESIDE = `next to ${count(HELD_CONNECTIONS)} streams`;
const SUCCESS = 0.99;
const P99_OF_NODE = 1;

/**
 * Measures how clients of Server-Sent Events affect others, and their memory.
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
export function streams() {
  return {
    name: 'streams',
    title: `${count(HELD_CONNECTIONS)} clients of Server-Sent Events, each with an event every ${EVENT_MS / 1_000} s`,
    works: {},
    variants: VARIANTS,
    phases: [ALONE, BESIDE],
    rounds: 3,
    seconds: 8,
    load: {
      title: `open loop, ${PER_SECOND} GET / per second over ${CONNECTIONS} connections; bytes per stream: growth of a new process's RSS while the streams are opened`,
      run: load,
    },
    before: async () => {
      checkDescriptors();
      return { settings: {}, answers: { '': { body: BODY } }, stop: async () => {} };
    },
    columns: [
      { head: 'answered', figure: 'success', format: 'share' },
      { head: 'p50 ms', figure: 'p50Us', format: 'ms' },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
      { head: 'bytes per stream', figure: 'perStream', format: 'count' },
    ],
    judge: (samples) => {
      const of = (/** @type {string} */ variant) => ({ variant, phase: BESIDE });
      return [
        atLeast('share of requests with a response', SUCCESS, figureSpread(samples, of(LOOPSHARD), 'success')),
        atMost('p99 vs. node:http', P99_OF_NODE, compareLoads(samples, 'p99Us', of(LOOPSHARD), of('node-http'))),
      ];
    },
    progress: ({ success, p99Us, perStream }) =>
      `answered ${ratio(success)}   p99 ${milliseconds(p99Us)} ms   ${count(perStream)} bytes per stream`,
  };
}

/**
 * @param {import('../../http/server-process.js').RunningServer} server
 * @param {string} phase
 * @param {import('../../scheduling/scenario.js').Bench} bench
 */
async function load(server, phase, { generator, seconds, seed }) {
  const perStream = phase === BESIDE ? await measureMemory(server.peer) : 0;
  const release = phase === BESIDE ? await hold(server, '/events') : undefined;
  const port = Number(new URL(server.url).port);
  const plan = { perSecond: PER_SECOND, connections: CONNECTIONS, kinds: [kind('healthy', { path: '/' })] };
  const { kinds } = await generator.run({ port, seconds, graceSeconds: 5, seed, streams: [plan] });
  await release?.();
  const { accepted, due, statuses } = kinds.healthy;
  return {
    success: (statuses[200] ?? 0) / due,
    p50Us: accepted.p50Us,
    p99Us: accepted.p99Us,
    perStream,
  };
}

/**
 * Measures how much the resident memory of a new process grows per stream. A new process is needed because processes do not return
 * memory. Garbage on the shard's heap is included.
 * @param {import('../../http/peers.js').Peer} peer
 */
async function measureMemory(peer) {
  const server = await startServer(peer, process.execPath, ['--expose-gc'], { messages: true });
  const before = await ask(server.child, 'memory');
  const release = await hold(server, '/events');
  const after = await ask(server.child, 'memory');
  await release();
  await server.stop();
  return (after - before) / HELD_CONNECTIONS;
}
