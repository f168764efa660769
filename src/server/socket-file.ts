import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes the file of a Unix socket on which no process listens any more, as after SIGKILL. Leaves sockets in use and other files
 * alone.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = inodeOf(path);
  if (found === undefined || !(await isRefused(path))) return;
  // Another process may have replaced the file and listen there by now.
  if (inodeOf(path) === found) unlinkSync(path);
}

/**
 * Removes the file of a Unix socket on which this process listens, if the process exits without having closed it.
 * @returns cancels the removal
 */
export function removeOnExit(path: string): () => void {
  const own = inodeOf(path);
  const remove = () => {
    if (own !== undefined && inodeOf(path) === own) unlinkSync(path);
  };
  process.on('exit', remove);
  return () => process.off('exit', remove);
}

/** Identifies the socket file at `path`; undefined if no socket is there. */
function inodeOf(path: string): bigint | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isSocket() ? stat.ino : undefined;
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
}
