import { count, milliseconds, ratio } from '../../http/format.js';
import { say } from '../../http/progress.js';
import { BODY } from '../../http/servers/workload.js';
import { verdict } from '../../http/targets.js';
import { kind } from '../../scheduling/requests.js';
import { compareLoads, figureSpread } from '../../scheduling/samples.js';
import { ask } from '../../scheduling/servers/questions.js';
import { atMost } from '../../scheduling/targets.js';
import { ATTACKS, attack, SLOW_CONNECTIONS, slowhttptestVersion } from '../slowhttptest.js';
import { LOOPSHARD, VARIANTS } from '../variants.js';

const PER_SECOND = 500;
const HEALTHY_CONNECTIONS = 50;
const QUIET = 'quiet';
const SUCCESS = 0.99;
const P99_GROWTH = 2;

/**
 * Measures whether clients are served during attacks by slow clients.
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
export function slow() {
  const version = slowhttptestVersion();
  if (!version) say('slowhttptest is not installed: skipping the attacks. Debian: apt-get install slowhttptest.');
  const attacks = version ? Object.keys(ATTACKS) : [];
  return {
    name: 'slow',
    title: `healthy clients next to ${count(SLOW_CONNECTIONS)} slow ones`,
    works: {},
    variants: VARIANTS,
    phases: [QUIET, ...attacks],
    rounds: 2,
    seconds: 10,
    load: {
      title: `open loop, ${PER_SECOND} GET / per second over ${HEALTHY_CONNECTIONS} connections, next to slowhttptest ${version} -c ${SLOW_CONNECTIONS}`,
      run: load,
    },
    before: async () => ({ settings: {}, answers: { '': { body: BODY } }, stop: async () => {} }),
    columns: [
      { head: 'answered', figure: 'success', format: 'share' },
      { head: 'p50 ms', figure: 'p50Us', format: 'ms' },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
      { head: 'vs. quiet', figure: 'p99Us', format: 'share', against: { phase: QUIET } },
      { head: 'slow clients at the end', figure: 'slow', format: 'count' },
      { head: 'RSS, MiB', figure: 'rss', format: 'MiB' },
    ],
    judge: (samples) => attacks.flatMap((phase) => judge(samples, phase)),
    progress: ({ success, p99Us }) => `answered ${ratio(success)}   p99 ${milliseconds(p99Us)} ms`,
  };
}

/**
 * @param {import('../../http/server-process.js').RunningServer} server
 * @param {string} phase
 * @param {import('../../scheduling/scenario.js').Bench} bench
 */
async function load(server, phase, { generator, seconds, seed }) {
  const end = phase === QUIET ? undefined : await attack(server, ATTACKS[/** @type {keyof typeof ATTACKS} */ (phase)]);
  const port = Number(new URL(server.url).port);
  const streams = [
    { perSecond: PER_SECOND, connections: HEALTHY_CONNECTIONS, kinds: [kind('healthy', { path: '/' })] },
  ];
  const { kinds } = await generator.run({ port, seconds, graceSeconds: 5, seed, streams });
  const rss = await ask(server.child, 'memory');
  const left = (await end?.()) ?? 0;
  const { accepted, due, statuses } = kinds.healthy;
  return { success: (statuses[200] ?? 0) / due, p50Us: accepted.p50Us, p99Us: accepted.p99Us, slow: left, rss };
}

/**
 * @param {import('../../scheduling/samples.js').Sample[]} samples
 * @param {string} phase
 * @returns {import('../../http/targets.js').Target[]}
 */
function judge(samples, phase) {
  const of = (/** @type {string} */ name) => ({ variant: LOOPSHARD, phase: name });
  const answered = figureSpread(samples, of(phase), 'success');
  return [
    {
      what: `${phase}: share of healthy requests with a response`,
      reach: `≥ ${percent(SUCCESS)}`,
      figure: answered ? percent(answered.min) : '–',
      verdict: verdict(answered, () => Number(answered?.min) >= SUCCESS),
    },
    atMost(`${phase}: p99 vs. quiet`, P99_GROWTH, compareLoads(samples, 'p99Us', of(phase), of(QUIET))),
  ];
}

/** @param {number} share */
function percent(share) {
  return `${(share * 100).toFixed(1)} %`;
}
