import { spawn } from 'node:child_process';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Starts a process that ends with this one at the latest. Standard input and output are pipes.
 * @param {string} command
 * @param {string[]} args
 */
export function startChild(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Makes every way out of this process, Ctrl-C too, end the children first. */
export function endChildrenOnExit() {
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}
