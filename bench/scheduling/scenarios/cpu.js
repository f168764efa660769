import { count, milliseconds } from '../../http/format.js';
import { chooseGenerator, loadServer } from '../../http/load.js';
import { compareLoads } from '../samples.js';
import { atLeast, atMost } from '../targets.js';
import { CLUSTER, CORES, loopshard, PISCINA } from '../variants.js';

const CONNECTIONS = 50;
const load = (/** @type {string} */ variant) => ({ variant, phase: '' });

/**
 * Every handler computes for half a millisecond.
 * @returns {import('../scenario.js').Scenario}
 */
export function cpu() {
  const generator = chooseGenerator();
  return {
    name: 'cpu',
    title: 'every handler computes for half a millisecond',
    works: { half: 0.5 },
    variants: [loopshard('loopshard', `LoopShard, ${CORES} shards`, { shards: CORES }), CLUSTER, PISCINA],
    phases: [''],
    rounds: 5,
    seconds: 4,
    load: {
      title: `${generator.title}, c=${CONNECTIONS}, closed loop, 8 browser-like headers, over loopback`,
      isBottleneck: generator.isBottleneck,
      run: async (server, _phase, { answers, answerBytes, seconds }) => {
        const target = { ...server, url: `${server.url}half`, peer: { ...server.peer, ...answers.half } };
        const bytes = answerBytes[server.peer.id].half;
        const answered = await loadServer(generator, target, bytes, CONNECTIONS, seconds);
        return { perSecond: answered.requests / answered.seconds, p50Us: answered.p50Us, p99Us: answered.p99Us };
      },
    },
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
    progress: ({ perSecond, p99Us }) => `${count(perSecond)} requests/s   p99 ${milliseconds(p99Us)} ms`,
  };
}
