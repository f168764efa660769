import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { LoopShardError } from '../errors.js';
import type { FlatOptions } from './flat-options.js';
import type { Listening } from './listening.js';
import { pathOf } from './table.js';

/** First version of Node.js with `reusePort`, which lets several sockets listen on one port. */
const MAJOR = 22;
const MINOR = 12;

/** Whether several sockets of this process can listen on one port. */
export function canReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const hasOption = major > MAJOR + 1 || (major === MAJOR && minor >= MINOR) || (major === MAJOR + 1 && minor >= 1);
  return process.platform === 'linux' && hasOption;
}

/**
 * Number of sockets with which a single HTTP thread listens. libuv accepts one connection for each of them in a turn of the event loop, so
 * with one, 500 clients that connect at the same time wait for 500 turns, and a turn for each connection costs 15 % (docs/internals.md).
 */
const SOCKETS = 4;

/**
 * Decides with how many sockets each HTTP thread listens: several if there is one thread, and it listens on a port without TLS, whose
 * handshakes take much longer than accepting. A process of `node:cluster` listens through its primary process, for a single socket.
 */
export function withSockets(listening: Listening, httpThreads: number): Listening {
  const { target, tls } = listening;
  const hasSeveral = httpThreads === 1 && target.port !== undefined && tls === undefined && !cluster.isWorker;
  if (httpThreads === 1 && !(hasSeveral && canReusePort())) return listening;
  return { ...listening, target: { ...target, reusePort: true }, sockets: hasSeveral ? SOCKETS : 1 };
}

/** With fewer cores, one HTTP thread serves at least as much as one process per core would. */
const LEAST_CORES = 4;
/** HTTP threads per core, and their maximum: see docs/scaling.md. */
const OF_EACH_CORE = 2 / 3;
const MOST_BY_DEFAULT = 11;

/** Returns the default number of HTTP threads: by the cores, if several are possible. */
export function defaultHttpThreads(options: FlatOptions, cores = availableParallelism()): number {
  const { path, fd, priority, tls, shards } = options;
  const hasFunctions = priority !== undefined || tls?.SNICallback !== undefined || tls?.pskCallback !== undefined;
  if (shards === 0 || cores < LEAST_CORES || path !== undefined || fd !== undefined || hasFunctions || !canReusePort())
    return 1;
  return Math.min(MOST_BY_DEFAULT, Math.round(cores * OF_EACH_CORE));
}

/**
 * Checks that the server can have this many HTTP threads.
 * @throws LoopShardError OPTION_INVALID
 */
export function checkHttpThreads(httpThreads: number, options: FlatOptions): void {
  if (httpThreads === 1) return;
  const { path, fd, priority, tls, shards } = options;
  if (shards === 0)
    throw invalid(
      'Cannot use `httpThreads` with `shards: 0`, where everything runs in the calling thread. Leave `httpThreads` out',
    );
  if (!canReusePort()) {
    throw invalid(
      `\`httpThreads\` above 1 needs Linux and Node.js ${MAJOR}.${MINOR} or later, where several threads can listen on one port. This is Node.js ${process.version} on ${process.platform}`,
    );
  }
  if (path !== undefined || fd !== undefined) {
    const name = path === undefined ? 'fd' : 'path';
    throw invalid(`Set either \`${name}\` or \`httpThreads\`: only one thread can listen on a \`${name}\``);
  }
  if (priority !== undefined) throw invalid(cannotPass(pathOf('priority')));
  if (tls === undefined) return;
  for (const name of ['SNICallback', 'pskCallback'] as const) {
    if (tls[name] !== undefined) throw invalid(cannotPass(`tls.${name}`));
  }
  try {
    structuredClone(tls);
  } catch (cause) {
    throw invalid(`Option \`tls\` cannot be passed to ${httpThreads} HTTP threads: ${(cause as Error).message}`);
  }
}

function cannotPass(name: string): string {
  return `\`${name}\` is a function, which cannot be passed to several HTTP threads. Export it from a module and set \`httpModule\` to its path, or set \`httpThreads: 1\``;
}

function invalid(sentence: string): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `${sentence}.`);
}
