import { BUSY, PHASES, PROBE_COLUMNS, probeProgress, runProbe } from '../probe.js';
import { figureSpread } from '../samples.js';
import { withinUs } from '../targets.js';
import { CLUSTER, CORES, FASTIFY, loopshard, PISCINA } from '../variants.js';

const WORKS = { work: 5 };
const PROBE = { path: '/livez', perSecond: 100, connections: 100 };
const BURN = { path: '/work', connections: 50 };

const WITHIN_US = 5_000;
const NICE = [0, 5, 10, 19];

const LOOPSHARDS = NICE.map((shardNice) =>
  loopshard(
    `nice-${shardNice}`,
    `LoopShard, shardNice ${shardNice}`,
    { shards: CORES, health: true, scheduling: { shardNice } },
    { ownHealth: true },
  ),
);

/**
 * Measures whether health checks get timely responses while all cores are busy.
 * @returns {import('../scenario.js').Scenario}
 */
export function health() {
  return {
    name: 'health',
    title: 'responses to health checks while all cores compute',
    works: WORKS,
    variants: [...LOOPSHARDS, FASTIFY, CLUSTER, PISCINA],
    phases: PHASES,
    rounds: 3,
    seconds: 10,
    load: {
      title: `open loop, ${PROBE.perSecond} GET ${PROBE.path} per second over ${PROBE.connections} connections; when busy, next to a closed
            loop over ${BURN.connections} connections of ${WORKS.work} ms`,
      run: (server, phase, bench) => runProbe(server, phase, bench, PROBE, BURN),
    },
    columns: PROBE_COLUMNS,
    judge: (samples) =>
      LOOPSHARDS.map(({ peer: { id, title } }) =>
        withinUs(
          `${title.split(', ')[1]}: p99 of ${PROBE.path} while all cores compute`,
          WITHIN_US,
          figureSpread(samples, { variant: id, phase: BUSY }, 'p99Us'),
        ),
      ),
    progress: probeProgress,
  };
}
