import { count, milliseconds } from '../../http/format.js';
import { chooseGenerator, loadServer } from '../../http/load.js';
import { BODY } from '../../http/servers/workload.js';
import { checkDescriptors, HELD_CONNECTIONS, hold } from '../held-connections.js';
import { VARIANTS } from '../variants.js';

const ACTIVE_CONNECTIONS = 50;
const ALONE = 'alone';
const BESIDE = `next to ${count(HELD_CONNECTIONS)} idle connections`;

/**
 * Measures active connections next to many idle ones.
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
export function idle() {
  const generator = chooseGenerator();
  return {
    name: 'idle',
    title: `${ACTIVE_CONNECTIONS} active connections, alone and ${BESIDE}`,
    works: {},
    variants: VARIANTS,
    phases: [ALONE, BESIDE],
    rounds: 3,
    seconds: 5,
    load: {
      title: `${generator.title}, c=${ACTIVE_CONNECTIONS}, closed loop, 8 browser-like headers, over loopback`,
      isBottleneck: generator.isBottleneck,
      run: async (server, phase, { answerBytes, seconds }) => {
        const release = phase === BESIDE ? await hold(server) : undefined;
        const bytes = answerBytes[server.peer.id][''];
        const answered = await loadServer(generator, server, bytes, ACTIVE_CONNECTIONS, seconds);
        await release?.();
        return { perSecond: answered.requests / answered.seconds, p50Us: answered.p50Us, p99Us: answered.p99Us };
      },
    },
    before: async () => {
      checkDescriptors();
      return { settings: {}, answers: { '': { body: BODY } }, stop: async () => {} };
    },
    columns: [
      { head: 'requests/s', figure: 'perSecond', format: 'count' },
      { head: 'vs. alone', figure: 'perSecond', format: 'share', against: { phase: ALONE } },
      { head: 'p50 ms', figure: 'p50Us', format: 'ms' },
      { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
    ],
    judge: () => [],
    progress: ({ perSecond, p99Us }) => `${count(perSecond)} requests/s   p99 ${milliseconds(p99Us)} ms`,
  };
}
