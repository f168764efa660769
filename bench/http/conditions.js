import os from 'node:os';

/** @typedef {ReturnType<typeof readConditions>} Conditions */

/**
 * The conditions that results depend on.
 * @param {import('./server-process.js').RunningServer[]} servers
 * @param {Pick<import('./load.js').Generator, 'title' | 'isBottleneck'>} generator
 * @param {Pick<import('./options.js').Options, 'rounds' | 'seconds' | 'connections'>} options
 * @param {number} busyCores before the first load
 */
export function readConditions(servers, generator, { rounds, seconds, connections }, busyCores) {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    busyCores,
    generator: generator.title,
    generatorIsBottleneck: generator.isBottleneck,
    servers: servers.map(({ peer: { id, title, product = title.split(/[ ,]/)[0] }, version, runtime }) => ({
      peer: id,
      title,
      product,
      version,
      runtime,
    })),
    rounds,
    seconds,
    connections,
    isVaried: servers.some(({ peer }) => peer.isVaried === true),
  };
}

/** @param {Conditions} conditions */
export function formatConditions({ servers, ...conditions }) {
  const runtimes = new Set(servers.map(({ runtime }) => runtime));
  const versions = servers
    .filter(({ runtime, version }) => !runtime.endsWith(` ${version}`))
    .map(({ title, version }) => `${title} ${version}`);
  return [
    `date        ${conditions.date}`,
    `machine     ${conditions.cpu}, ${conditions.cores} cores, ${conditions.system}`,
    `            ${conditions.busyCores.toFixed(2)} cores busy before the first load`,
    `servers     ${[...runtimes, ...versions].join(', ')}`,
    `load        ${conditions.generator}, 8 browser-like headers${conditions.isVaried ? ' and an ID of its own for each request' : ''}, no pipelining, over loopback`,
    `rounds      ${conditions.rounds} × ${conditions.seconds} s for each server at c=${conditions.connections.join(', ')}`,
    ...(conditions.generatorIsBottleneck ? ['', BOTTLENECK] : []),
  ].join('\n');
}

const BOTTLENECK = `wrk is not installed, and autocannon takes more CPU time than the servers: the load generator is the bottleneck.
The servers look more alike than they are, so the targets are not checked. Debian: apt-get install wrk.`;
