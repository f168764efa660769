import { BODY } from '../../http/servers/workload.js';
import { saturate, saturationProgress } from '../../scheduling/saturation.js';
import { atLeast } from '../../scheduling/targets.js';
import { APPS, compareToUsual, onShards, usualOf } from '../apps.js';

const CONNECTIONS = 50;
const PATH = '';

export const oneShard = () =>
  throughput('one-shard', 'apps of other frameworks on one shard, and on their usual servers', 1, ({ reach }) => reach);

export const twoShards = () =>
  throughput('two-shards', 'the same on two shards, and in clusters of two processes', 2, () => 1);

/**
 * GET of a small JSON object.
 * @param {string} name
 * @param {string} title
 * @param {number} count of shards and processes
 * @param {(app: import('../apps.js').ForeignApp) => number | undefined} least requests/s relative to those of the usual server
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
function throughput(name, title, count, least) {
  const pairs = APPS.map((app) => onShards(app, count));
  return {
    name,
    title,
    works: {},
    variants: pairs.flatMap(({ usual, ours }) => [usual, ours]),
    phases: [''],
    rounds: 6,
    seconds: 4,
    load: saturate(PATH, CONNECTIONS),
    before: async () => ({ settings: {}, answers: { [PATH]: { body: BODY } }, stop: async () => {} }),
    columns: [
      { head: 'requests/s', figure: 'perSecond', format: 'count' },
      { head: 'vs. usual', figure: 'perSecond', format: 'share', against: usualOf(pairs) },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
      { head: 'CPU µs', figure: 'cpuUs', format: 'count' },
      { head: 'HTTP thread', figure: 'HTTP thread', format: 'count' },
      { head: 'app', figure: 'app', format: 'count' },
      { head: 'rest', figure: 'rest', format: 'count' },
    ],
    judge: (samples) =>
      pairs.flatMap((pair) => {
        const reach = least(pair.app);
        if (reach === undefined) return [];
        const what = `${pair.ours.peer.title}: requests/s vs. ${pair.other}`;
        return [atLeast(what, reach, compareToUsual(samples, 'perSecond', '', pair))];
      }),
    progress: saturationProgress,
  };
}
