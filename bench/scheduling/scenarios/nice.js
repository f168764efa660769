import { fileURLToPath } from 'node:url';
import { startChild } from '../../http/children.js';
import { count, milliseconds } from '../../http/format.js';
import { chooseGenerator, loadServer } from '../../http/load.js';
import { ROWS_BODY } from '../../http/servers/rows.js';
import { makeText } from '../../http/servers/sizes.js';
import { BODY } from '../../http/servers/workload.js';
import { kind } from '../requests.js';
import { figureSpread } from '../samples.js';
import { ask } from '../servers/questions.js';
import { withinUs } from '../targets.js';
import { CORES, loopshard } from '../variants.js';

const BURNER = fileURLToPath(new URL('../servers/burner.js', import.meta.url));
const NICE = [0, 5, 10];
/** The default, and one shard per core. */
const SHARDS = [...new Set([Math.max(1, CORES - 1), CORES])];
const CONNECTIONS = 50;
const PROBE = { perSecond: 100, connections: 20 };
const TEXT_BYTES = 15_000;
const WITHIN_US = 5_000;

/** @type {import('../scenario.js').Answers} */
const ANSWERS = {
  message: { body: BODY },
  rows: { body: ROWS_BODY },
  text: { body: makeText(TEXT_BYTES), type: 'text/plain' },
};
const LOADS = { message: 'JSON', rows: '100 rows', text: '15 kB of text', half: '0.5 ms of work' };
const ALONE = '';
const BESIDE = ', next to a process that keeps one core busy';

const PHASES = new Map(
  Object.entries(LOADS).flatMap(([path, title]) =>
    [ALONE, BESIDE].map((company) => [`${title}${company}`, { path, company }]),
  ),
);

const VARIANTS = SHARDS.flatMap((shards) =>
  NICE.map((shardNice) => {
    const title = `LoopShard, shardNice ${shardNice}, ${shards} shard${shards > 1 ? 's' : ''}`;
    const settings = { ownHealth: true, textBytes: TEXT_BYTES };
    return loopshard(idOf(shardNice, shards), title, { shards, scheduling: { shardNice }, health: true }, settings);
  }),
);

/**
 * @param {number} shardNice
 * @param {number | string} shards
 */
function idOf(shardNice, shards) {
  return `nice-${shardNice}-shards-${shards}`;
}

/**
 * Measures what shards lose by giving way to other threads, and what the HTTP thread gains.
 * @returns {import('../scenario.js').Scenario}
 */
export function nice() {
  const generator = chooseGenerator();
  return {
    name: 'nice',
    title: 'shardNice, alone and next to a process of normal priority that keeps one core busy',
    works: { half: 0.5 },
    variants: VARIANTS,
    phases: [...PHASES.keys()],
    rounds: 3,
    seconds: 3,
    load: {
      title: `${generator.title}, c=${CONNECTIONS}, closed loop, 8 browser-like headers, over loopback; meanwhile
            ${PROBE.perSecond} GET /livez per second over ${PROBE.connections} connections, open loop`,
      isBottleneck: generator.isBottleneck,
      run: (server, phase, bench) => run(generator, server, phase, bench),
    },
    before: async () => ({ settings: {}, answers: ANSWERS, stop: async () => {} }),
    columns: [
      { head: 'requests/s', figure: 'perSecond', format: 'count' },
      {
        head: 'vs. shardNice 0',
        figure: 'perSecond',
        format: 'share',
        against: ({ variant }) => ({ variant: idOf(0, variant.slice(variant.lastIndexOf('-') + 1)) }),
      },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
      { head: '/livez p99 ms', figure: 'livezP99Us', format: 'ms' },
      { head: 'cores of the busy process', figure: 'burntCores', format: 'share' },
    ],
    judge: (samples) =>
      VARIANTS.flatMap(({ peer: { id, title } }) =>
        [ALONE, BESIDE].map((company) =>
          withinUs(
            `${title.replace('LoopShard, ', '')}${company === BESIDE ? ', next to a busy process' : ''}: p99 of /livez`,
            WITHIN_US,
            figureSpread(samples, { variant: id, phase: `${LOADS.half}${company}` }, 'livezP99Us'),
          ),
        ),
      ),
    progress: ({ perSecond, livezP99Us }) =>
      `${count(perSecond)} requests/s   /livez p99 ${milliseconds(livezP99Us)} ms`,
  };
}

/**
 * @param {import('../../http/load.js').Generator} generator
 * @param {import('../../http/server-process.js').RunningServer} server
 * @param {string} phase
 * @param {import('../scenario.js').Bench} bench
 */
async function run(generator, server, phase, { generator: prober, answers, answerBytes, seconds, seed }) {
  const { path, company } = /** @type {{ path: string, company: string }} */ (PHASES.get(phase));
  const target = { ...server, url: `${server.url}${path}`, peer: { ...server.peer, ...answers[path] } };
  const port = Number(new URL(server.url).port);
  const streams = [{ ...PROBE, kinds: [kind('livez')] }];
  const endBurner = company === BESIDE ? await startBurner() : undefined;
  const [answered, probed] = await Promise.all([
    loadServer(generator, target, answerBytes[server.peer.id][path], CONNECTIONS, seconds),
    prober.run({ port, seconds, graceSeconds: 5, seed, streams }),
  ]);
  return {
    perSecond: answered.requests / answered.seconds,
    p99Us: answered.p99Us,
    livezP99Us: probed.kinds.livez.accepted.p99Us,
    burntCores: (await endBurner?.()) ?? Number.NaN,
  };
}

/** @returns {Promise<() => Promise<number>>} ends the process, and resolves with the cores that it had */
async function startBurner() {
  const child = startChild(process.execPath, [BURNER], { messages: true });
  await ask(child, 'cores');
  return async () => {
    const cores = await ask(child, 'cores');
    child.kill();
    return cores;
  };
}
