import { compareLoads } from '../samples.js';
import { saturate, saturationProgress } from '../saturation.js';
import { atLeast, atMost } from '../targets.js';
import { CLUSTER, CORES, loopshard, PISCINA } from '../variants.js';

const CONNECTIONS = 50;
const load = (/** @type {string} */ variant) => ({ variant, phase: '' });

/**
 * Every handler computes for half a millisecond.
 * @returns {import('../scenario.js').Scenario}
 */
export function cpu() {
  return {
    name: 'cpu',
    title: 'every handler computes for half a millisecond',
    works: { half: 0.5 },
    variants: [loopshard('loopshard', `LoopShard, ${CORES} shards`, { shards: CORES }), CLUSTER, PISCINA],
    phases: [''],
    rounds: 5,
    seconds: 4,
    load: saturate('half', CONNECTIONS),
    columns: [
      { head: 'requests/s', figure: 'perSecond', format: 'count' },
      { head: 'vs. LoopShard', figure: 'perSecond', format: 'share', against: { variant: 'loopshard' } },
      { head: 'p50 ms', figure: 'p50Us', format: 'ms' },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
    ],
    judge: (samples) =>
      [CLUSTER, PISCINA].flatMap(({ peer: { id, title } }) => [
        atLeast(`requests/s vs. ${title}`, 1, compareLoads(samples, 'perSecond', load('loopshard'), load(id))),
        atMost(`p99 vs. ${title}`, 1, compareLoads(samples, 'p99Us', load('loopshard'), load(id))),
      ]),
    progress: saturationProgress,
  };
}
