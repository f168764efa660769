import { count, milliseconds } from '../http/format.js';
import { chooseGenerator, loadServer } from '../http/load.js';
import { cpuPerRequest } from '../http/rounds.js';

/**
 * A load of as many GET requests for a path as the connections can carry. Its figures are requests/s, latencies and, on Linux, the CPU time
 * of the server per request, in all and by the roles of its threads.
 * @param {string} path
 * @param {number} connections
 * @returns {import('./scenario.js').Scenario['load']}
 */
export function saturate(path, connections) {
  const generator = chooseGenerator();
  return {
    title: `${generator.title}, c=${connections}, closed loop, 8 browser-like headers, over loopback`,
    isBottleneck: generator.isBottleneck,
    run: async (server, _phase, { answers, answerBytes, seconds }) => {
      const target = { ...server, url: `${server.url}${path}`, peer: { ...server.peer, ...answers[path] } };
      const before = server.cpuUs();
      const load = await loadServer(generator, target, answerBytes[server.peer.id][path], connections, seconds);
      const { cpuUs = Number.NaN, cpuUsByRole } = cpuPerRequest(before, server.cpuUs(), load.requests);
      const { requests, p50Us, p99Us } = load;
      return { perSecond: requests / load.seconds, p50Us, p99Us, cpuUs, ...cpuUsByRole };
    },
  };
}

/** @param {import('./samples.js').Figures} figures */
export function saturationProgress({ perSecond, p99Us }) {
  return `${count(perSecond)} requests/s   p99 ${milliseconds(p99Us)} ms`;
}
