import { BUSY, probeProgress, runProbe } from '../../scheduling/probe.js';
import { atMost } from '../../scheduling/targets.js';
import { APPS, compareToUsual, inGroups, usualOf } from '../apps.js';

const PROCESSES = 2;
const WORKS = { heavy: 30 };
/** Share of the time of as many cores as there are processes. */
const UTILIZATION = 0.5;
const HEAVY = {
  path: '/heavy',
  perSecond: Math.round((UTILIZATION * PROCESSES * 1000) / WORKS.heavy),
  connections: 50,
};
const LIGHT = { path: '/livez', perSecond: 100, connections: 50 };

/** Middleware does not change how long requests wait. */
const PAIRS = APPS.filter(({ id }) => id !== 'hono-middleware').map((app) => inGroups(app, PROCESSES));

/**
 * A handler that blocks its event loop, next to light requests to the same app.
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
export function heavy() {
  return {
    name: 'heavy',
    title: 'a light route next to one that blocks its event loop',
    works: WORKS,
    variants: PAIRS.flatMap(({ usual, ours }) => [usual, ours]),
    phases: [BUSY],
    rounds: 3,
    seconds: 8,
    load: {
      title: `two open loops: ${LIGHT.perSecond} GET ${LIGHT.path} per second over ${LIGHT.connections} connections, and ${HEAVY.perSecond} GET ${HEAVY.path} of
            ${WORKS.heavy} ms over ${HEAVY.connections}: ${100 * UTILIZATION} % of ${PROCESSES} cores`,
      run: (server, phase, bench) => runProbe(server, phase, bench, LIGHT, HEAVY),
    },
    before: async () => ({
      settings: {},
      answers: { [LIGHT.path.slice(1)]: { body: '{"status":"ok"}' } },
      stop: async () => {},
    }),
    columns: [
      { head: `${LIGHT.path} p50 ms`, figure: 'p50Us', format: 'ms' },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
      { head: 'vs. usual', figure: 'p99Us', format: 'share', against: usualOf(PAIRS) },
      { head: 'failed', figure: 'failed', format: 'count' },
      { head: `${HEAVY.path}/s`, figure: 'burnt', format: 'count' },
      { head: 'p99 ms', figure: 'burntP99Us', format: 'ms' },
      { head: 'sent late, p99 ms', figure: 'lateP99Us', format: 'ms' },
    ],
    judge: (samples) =>
      PAIRS.map((pair) => {
        const what = `${pair.app.title}: p99 of ${LIGHT.path} vs. ${pair.other}`;
        return atMost(what, 0.2, compareToUsual(samples, 'p99Us', BUSY, pair));
      }),
    progress: probeProgress,
  };
}
