import { count, milliseconds } from '../../http/format.js';
import { BODY } from '../../http/servers/workload.js';
import { startGenerator } from '../../scheduling/generator-process.js';
import { kind } from '../../scheduling/requests.js';
import { figureSpread } from '../../scheduling/samples.js';
import { ask } from '../../scheduling/servers/questions.js';
import { atLeast, withinUs } from '../../scheduling/targets.js';
import { LARGE } from '../servers/answers.js';
import { LOOPSHARD, VARIANTS } from '../variants.js';

const PER_SECOND = 1_500;
const CONNECTIONS = 50;
const PROBE = { perSecond: 100, connections: 20 };
const HELD_UP_US = 5_000;
const ANSWERED = 0.98;

/** @typedef {import('../../scheduling/generator-process.js').OpenLoopGenerator} OpenLoopGenerator */

/**
 * Measures how long large responses block the thread that reads and writes sockets.
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
export function holdup() {
  /** @type {OpenLoopGenerator | undefined} */
  let prober;
  return {
    name: 'holdup',
    title: `${count(PER_SECOND)} responses of ${LARGE.length / 1024} KiB per second: how long they block the HTTP thread`,
    works: {},
    variants: VARIANTS.filter(({ peer }) => peer.id !== 'fastify'),
    phases: [''],
    rounds: 5,
    seconds: 5,
    load: {
      title: `open loop, ${PER_SECOND} GET /large per second over ${CONNECTIONS} connections, and from another process
            ${PROBE.perSecond} GET /livez per second over ${PROBE.connections}; loop delay: how late timers of 1 ms fire`,
      run: async (server, _phase, { generator, seconds, seed }) => {
        const port = Number(new URL(server.url).port);
        const large = { perSecond: PER_SECOND, connections: CONNECTIONS, kinds: [kind('large')] };
        const probe = { ...PROBE, kinds: [kind('livez')] };
        const plan = { port, seconds, graceSeconds: 5, seed };
        await ask(server.child, 'watchLoop');
        const [answered, probed] = await Promise.all([
          generator.run({ ...plan, streams: [large] }),
          /** @type {OpenLoopGenerator} */ (prober).run({ ...plan, streams: [probe] }),
        ]);
        const delays = await ask(server.child, 'loopDelays');
        const { due, ok, okPerSecond, unanswered, accepted } = answered.kinds.large;
        const { livez } = probed.kinds;
        return {
          perSecond: okPerSecond,
          answered: ok / due,
          unanswered: unanswered + livez.unanswered,
          largeP99Us: accepted.p99Us,
          delayP50Us: delays.p50Us,
          delayP99Us: delays.p99Us,
          delayMaxUs: delays.maxUs,
          livezP99Us: livez.accepted.p99Us,
        };
      },
    },
    before: async () => {
      prober = await startGenerator();
      const { stop } = prober;
      const answers = {
        '': { body: BODY },
        large: { body: LARGE, type: 'application/octet-stream' },
      };
      return { settings: {}, answers, stop: async () => void stop() };
    },
    columns: [
      { head: 'responses/s', figure: 'perSecond', format: 'count' },
      { head: 'p99 ms', figure: 'largeP99Us', format: 'ms' },
      { head: 'loop delay p50 ms', figure: 'delayP50Us', format: 'ms' },
      { head: 'p99 ms', figure: 'delayP99Us', format: 'ms' },
      { head: 'max ms', figure: 'delayMaxUs', format: 'ms' },
      { head: '/livez p99 ms', figure: 'livezP99Us', format: 'ms' },
      { head: 'unanswered', figure: 'unanswered', format: 'count' },
    ],
    judge: (samples) => {
      const load = { variant: LOOPSHARD, phase: '' };
      return [
        // A server with low throughput is not blocked.
        atLeast('share of due requests with a response in time', ANSWERED, figureSpread(samples, load, 'answered')),
        withinUs("p99 of the HTTP thread's loop delay", HELD_UP_US, figureSpread(samples, load, 'delayP99Us')),
      ];
    },
    progress: ({ perSecond, delayP99Us, delayMaxUs }) =>
      `${count(perSecond)} responses/s   loop delay p99 ${milliseconds(delayP99Us)} ms, max ${milliseconds(delayMaxUs)} ms`,
  };
}
