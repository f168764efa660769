import { LoopShardError } from '../errors.js';
import type { ServeOptions } from './options.js';

/** From which version on Node.js lets several threads listen on one port (`reusePort`). */
const MAJOR = 22;
const MINOR = 12;

/** Whether several threads of this process can listen on one port. */
export function canReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const hasOption = major > MAJOR + 1 || (major === MAJOR && minor >= MINOR) || (major === MAJOR + 1 && minor >= 1);
  return process.platform === 'linux' && hasOption;
}

/**
 * Checks whether a server can have several HTTP threads.
 * @throws LoopShardError OPTION_INVALID
 */
export function checkHttpThreads(httpThreads: number, options: ServeOptions): void {
  if (httpThreads === 1) return;
  const { path, fd, priority, tls } = options;
  if (!canReusePort()) {
    throw invalid(
      `\`httpThreads\` above 1 needs Linux and Node.js ${MAJOR}.${MINOR} or later, where several threads can listen on one port. This is Node.js ${process.version} on ${process.platform}`,
    );
  }
  if (path !== undefined || fd !== undefined) {
    const name = path === undefined ? 'fd' : 'path';
    throw invalid(`Set either \`${name}\` or \`httpThreads\`: only one thread can listen there`);
  }
  if (priority !== undefined) throw invalid(cannotPass('priority'));
  if (tls === undefined) return;
  for (const name of ['SNICallback', 'pskCallback'] as const) {
    if (tls[name] !== undefined) throw invalid(cannotPass(`tls.${name}`));
  }
  try {
    structuredClone(tls);
  } catch (cause) {
    throw invalid(`The option \`tls\` cannot be passed to ${httpThreads} HTTP threads: ${(cause as Error).message}`);
  }
}

function cannotPass(name: string): string {
  return `\`${name}\` is a function, which cannot be passed to several HTTP threads. Export it from a module and name that as \`httpModule\`, or set \`httpThreads: 1\``;
}

function invalid(sentence: string): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `${sentence}.`);
}
