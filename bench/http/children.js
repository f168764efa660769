import { spawn } from 'node:child_process';

/** @typedef {import('node:stream').Writable} Writable */
/** @typedef {import('node:stream').Readable} Readable */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** @typedef {ReturnType<typeof startChild>} Child */

/**
 * Starts a process that does not outlive this one. Standard input and output are pipes.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, messages?: boolean }} [options] `env` adds to this process's environment;
 * with `messages`, a Node.js process can be sent messages
 */
export function startChild(command, args, { env = {}, messages = false } = {}) {
  /** @type {('ipc')[]} */
  const channel = messages ? ['ipc'] : [];
  const child = /** @type {import('node:child_process').ChildProcessByStdio<Writable, Readable, null>} */ (
    spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit', ...channel], env: { ...process.env, ...env } })
  );
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Ends the children before this process exits in any way, including Ctrl-C. */
export function endChildrenOnExit() {
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}
