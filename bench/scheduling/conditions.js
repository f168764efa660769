import { readConditions } from '../http/conditions.js';
import { CORES } from './variants.js';

const SHARED = `The load generator, the HTTP thread and the shards (or the other servers' processes and threads) share the
${CORES} cores: none of them has a core to itself.`;

/**
 * The conditions that the results of a scenario depend on.
 * @param {{ works: Record<string, number>, load: { title: string, isBottleneck?: boolean } }} scenario
 * @param {import('../http/server-process.js').RunningServer[]} servers
 * @param {{ rounds: number, seconds: number }} options
 * @param {Record<string, number>} iterations
 * @param {number} busyCores before the first load
 */
export function conditionsOf(scenario, servers, { rounds, seconds }, iterations, busyCores) {
  const generator = { title: scenario.load.title, isBottleneck: scenario.load.isBottleneck ?? false };
  const common = readConditions(servers, generator, { rounds, seconds, connections: [] }, busyCores);
  return { ...common, works: scenario.works, iterations };
}

/** @param {ReturnType<typeof conditionsOf>} conditions */
export function formatConditions({ servers, works, iterations, ...conditions }) {
  const runtimes = new Set(servers.map(({ runtime }) => runtime));
  const versions = new Set(
    servers
      .filter(({ runtime, version }) => !runtime.endsWith(` ${version}`))
      .map(({ product, version }) => `${product} ${version}`),
  );
  const work = Object.entries(works).map(([name, ms]) => `${name} ${ms} ms (${iterations[name]} iterations)`);
  return [
    `date        ${conditions.date}`,
    `machine     ${conditions.cpu}, ${conditions.cores} cores, ${conditions.system}`,
    `            ${conditions.busyCores.toFixed(2)} cores busy before the first load`,
    `servers     ${[...runtimes, ...versions].join(', ')}`,
    ...(work.length > 0 ? [`work        pbkdf2 (sha256), calibrated at rest: ${work.join(', ')}`] : []),
    `load        ${conditions.generator}`,
    `rounds      ${conditions.rounds} × ${conditions.seconds} s for each server`,
    '',
    SHARED,
  ].join('\n');
}
