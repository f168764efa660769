import { milliseconds, ratio } from '../../http/format.js';
import { verdict } from '../../http/targets.js';
import { BUSY, PHASES, PROBE_COLUMNS, probeProgress, QUIET, runProbe } from '../probe.js';
import { compareLoads } from '../samples.js';
import { CLUSTER, CORES, loopshard, PISCINA } from '../variants.js';

const WORKS = { short: 0.2, burn: 20 };
const PROBE = { path: '/short', perSecond: 200, connections: 100 };
const BURN = { path: '/burn', connections: 50 };

const P99_RATIO = 2;
const P99_ADDED_US = 5_000;

/**
 * One group of shards is overloaded, while the other one has little load.
 * @returns {import('../scenario.js').Scenario}
 */
export function neighbour() {
  const options = { groups: { default: 1, burn: CORES }, scheduling: { shardNice: { default: 0, burn: 10 } } };
  const settings = { routeOptions: { burn: { group: 'burn' } } };
  return {
    name: 'neighbour',
    title: `one group of shards needs all ${CORES} cores, the other one has little load`,
    works: WORKS,
    variants: [loopshard('loopshard', 'LoopShard, two groups', options, settings), CLUSTER, PISCINA],
    phases: PHASES,
    rounds: 3,
    seconds: 10,
    load: {
      title: `open loop, ${PROBE.perSecond} requests/s of ${WORKS.short} ms over ${PROBE.connections} connections; when busy, next to a closed
            loop over ${BURN.connections} connections of ${WORKS.burn} ms`,
      run: (server, phase, bench) => runProbe(server, phase, bench, PROBE, BURN),
    },
    columns: PROBE_COLUMNS,
    judge: (samples) => [judgeGroups(samples)],
    progress: probeProgress,
  };
}

/**
 * @param {import('../samples.js').Sample[]} samples
 * @returns {import('../../http/targets.js').Target}
 */
function judgeGroups(samples) {
  const load = (/** @type {string} */ phase) => ({ variant: 'loopshard', phase });
  const compare = (/** @type {(a: number, b: number) => number} */ by) =>
    compareLoads(samples, 'p99Us', load(BUSY), load(QUIET), by);
  const times = compare((busy, quiet) => busy / quiet);
  const addedUs = compare((busy, quiet) => busy - quiet)?.median ?? 0;
  const shown = times ? `${ratio(times.median)} ×, ${addedUs < 0 ? '' : '+'}${milliseconds(addedUs)} ms` : '–';
  return {
    what: 'p99 next to a busy group vs. next to a quiet one',
    reach: `≤ ${ratio(P99_RATIO)} × or +${milliseconds(P99_ADDED_US)} ms`,
    figure: shown,
    verdict: verdict(times, (median) => median <= P99_RATIO || addedUs <= P99_ADDED_US),
  };
}
