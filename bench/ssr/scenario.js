import { usualServer } from '../adapters/usual-server.js';
import { BUSY, PHASES, probeProgress, runProbe } from '../scheduling/probe.js';
import { compareLoads } from '../scheduling/samples.js';
import { atLeast, atMost } from '../scheduling/targets.js';
import { CORES, loopshard } from '../scheduling/variants.js';

/** @typedef {import('../scheduling/variants.js').Variant} Variant */

const PAGE = '/category/7';
const HEALTH = '/livez';
const PROBE = { path: HEALTH, perSecond: 100, connections: 50 };
const BURN = { path: PAGE, connections: 16 };

const app = (/** @type {string} */ file) => new URL(`../../examples/ssr/${file}`, import.meta.url).href;

const APP = app('app.js');
const ONE = loopshard('loopshard-1', 'LoopShard, 1 shard', { shards: 1 }, {}, APP);
const LOOPSHARD = loopshard('loopshard', `LoopShard, ${CORES} shards`, { shards: CORES }, {}, APP);
const GROUPS = loopshard(
  'groups',
  'LoopShard, pages in a group',
  { groups: { default: 1, pages: CORES } },
  {},
  app('with-groups.js'),
);
const NODE = usualServer('node', '@hono/node-server', 'hono', APP, 1);
const CLUSTER = usualServer('cluster', `@hono/node-server, cluster(${CORES})`, 'hono', APP, CORES);

/** @type {import('../scheduling/report.js').Column[]} */
const COLUMNS = [
  { head: 'pages/s', figure: 'burnt', format: 'count' },
  { head: 'p99 of pages, ms', figure: 'burntP99Us', format: 'ms' },
  { head: `p50 of ${HEALTH}, ms`, figure: 'p50Us', format: 'ms' },
  { head: `p99 of ${HEALTH}, ms`, figure: 'p99Us', format: 'ms' },
  { head: 'failed', figure: 'failed', format: 'count' },
  { head: 'sent late, p99 ms', figure: 'lateP99Us', format: 'ms' },
];

/**
 * Pages that block event loops for milliseconds, next to light requests.
 * @returns {import('../scheduling/scenario.js').Scenario}
 */
export function ssr() {
  return {
    name: 'ssr',
    title: 'pages of about 100 kB that React renders on Hono; @hono/node-server is its server for node:http',
    works: {},
    variants: [ONE, LOOPSHARD, GROUPS, NODE, CLUSTER],
    phases: PHASES,
    rounds: 3,
    seconds: 8,
    load: {
      title: `open loop, ${PROBE.perSecond} GET ${HEALTH} per second over ${PROBE.connections} connections; when busy, next to a closed
            loop over ${BURN.connections} connections of GET ${PAGE}`,
      run: (server, phase, bench) => runProbe(server, phase, bench, PROBE, BURN),
    },
    before: async () => {
      const { default: app } = await import('../../examples/ssr/app.js');
      const respond = async (/** @type {string} */ path) => {
        const response = await app.fetch(new Request(`http://localhost${path}`));
        const type = response.headers.get('content-type')?.split(';')[0];
        return { body: await response.text(), ...(type !== undefined && { type }) };
      };
      const answers = Object.fromEntries(
        await Promise.all([HEALTH, PAGE].map(async (path) => [path.slice(1), await respond(path)])),
      );
      return { settings: {}, answers, stop: async () => {} };
    },
    columns: COLUMNS,
    judge: (samples) => {
      const busy = (/** @type {Variant} */ { peer }) => ({ variant: peer.id, phase: BUSY });
      const times = (
        /** @type {'burnt' | 'p99Us'} */ figure,
        /** @type {Variant} */ one,
        /** @type {Variant} */ other,
      ) => compareLoads(samples, figure, busy(one), busy(other), (ours, theirs) => ours / theirs);
      return [
        atLeast(`${ONE.peer.title}: pages/s vs. ${NODE.peer.title}`, 1, times('burnt', ONE, NODE)),
        atLeast(`${LOOPSHARD.peer.title}: pages/s vs. ${CLUSTER.peer.title}`, 1, times('burnt', LOOPSHARD, CLUSTER)),
        atMost(`in a group: p99 of ${HEALTH} vs. ${CLUSTER.peer.title}`, 0.2, times('p99Us', GROUPS, CLUSTER)),
        atMost(`in a group: p99 of ${HEALTH} vs. ${NODE.peer.title}`, 0.2, times('p99Us', GROUPS, NODE)),
      ];
    },
    progress: probeProgress,
  };
}
