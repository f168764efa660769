import { count, milliseconds } from '../../http/format.js';
import { startServer } from '../../http/server-process.js';
import { kind } from '../requests.js';
import { compareLoads } from '../samples.js';
import { atLeast, atMost } from '../targets.js';
import { loopshard } from '../variants.js';

/** The number of concurrent calls that the downstream can handle. */
const BEARS = 50;
/** How long a call takes up to that number. */
const SERVICE_MS = 50;
const CAPACITY = (BEARS * 1000) / SERVICE_MS;
const LOAD = 1.2;
const CONNECTIONS = 1_000;
const MAX_QUEUE = 200;

const DOWNSTREAM = {
  id: 'downstream',
  title: 'The downstream',
  file: new URL('../servers/downstream.js', import.meta.url).href,
  args: [String(BEARS), String(SERVICE_MS)],
  body: '{"from":"downstream"}',
  skips: [],
};

const common = { shards: 1, scheduling: { maxQueue: MAX_QUEUE, batch: 64 } };
/** @type {import('../report.js').Column[]} */
const COLUMNS = [
  { head: 'responses/s', figure: 'goodput', format: 'count' },
  { head: 'vs. the best', figure: 'goodput', format: 'share', against: { variant: 'oracle' } },
  { head: 'p50 ms', figure: 'p50Us', format: 'ms' },
  { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
  { head: 'rejected/s', figure: 'refused', format: 'count' },
  { head: 'unanswered', figure: 'unanswered', format: 'count' },
];

const load = (/** @type {string} */ variant) => ({ variant, phase: '' });

/**
 * Handlers call a service that collapses under too many concurrent calls.
 * @returns {import('../scenario.js').Scenario}
 */
export function adaptive() {
  return {
    name: 'adaptive',
    title: `handlers call a service that can handle ${BEARS} concurrent calls and collapses beyond that`,
    works: {},
    variants: [
      loopshard('adaptive', "LoopShard, permits 'adaptive'", {
        ...common,
        scheduling: { ...common.scheduling, permits: 'adaptive' },
      }),
      loopshard('static', 'LoopShard, 512 permits', { ...common, scheduling: { ...common.scheduling, permits: 512 } }),
      loopshard('oracle', `LoopShard, ${BEARS} permits (the best)`, {
        ...common,
        scheduling: { ...common.scheduling, permits: BEARS },
      }),
    ],
    phases: [''],
    rounds: 3,
    seconds: 15,
    // As long as a measured load, because the limiter must find its limit.
    warmUpSeconds: (seconds) => seconds,
    before: async () => {
      const server = await startServer(DOWNSTREAM, process.execPath);
      const answers = { downstream: { body: DOWNSTREAM.body } };
      return { settings: { downstream: `${server.url}downstream` }, answers, stop: server.stop };
    },
    load: {
      title: `open loop, ${LOAD * CAPACITY} requests/s over ${CONNECTIONS} connections: ${LOAD} × the capacity of the service; 1 shard,
            maxQueue ${MAX_QUEUE}`,
      run: runDownstream,
    },
    columns: COLUMNS,
    judge: (samples) => [
      atLeast('responses/s vs. 512 permits', 2, compareLoads(samples, 'goodput', load('adaptive'), load('static'))),
      atLeast('responses/s vs. the best', 0.9, compareLoads(samples, 'goodput', load('adaptive'), load('oracle'))),
      atMost('p99 vs. the best', 2, compareLoads(samples, 'p99Us', load('adaptive'), load('oracle'))),
    ],
    progress: ({ goodput, p99Us }) => `${count(goodput)} responses/s   p99 ${milliseconds(p99Us)} ms`,
  };
}

/** @type {import('../scenario.js').Scenario['load']['run']} */
async function runDownstream(server, _phase, { generator, seconds, seed }) {
  const port = Number(new URL(server.url).port);
  const streams = [{ perSecond: LOAD * CAPACITY, connections: CONNECTIONS, kinds: [kind('downstream')] }];
  const { kinds } = await generator.run({ port, seconds, graceSeconds: 5, seed, streams });
  const { okPerSecond, accepted, refused, unanswered } = kinds.downstream;
  return { goodput: okPerSecond, p50Us: accepted.p50Us, p99Us: accepted.p99Us, refused: refused / seconds, unanswered };
}
