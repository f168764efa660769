import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes the file of a Unix socket whose owner is gone, as after SIGKILL: nobody accepts connections there. Leaves what
 * is in use, and what is no socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = inodeOf(path);
  if (found === undefined || !(await isRefused(path))) return;
  // Somebody else may have removed it and listen there by now.
  if (inodeOf(path) === found) unlinkSync(path);
}

/**
 * Removes the file of a Unix socket that this process listens on when the process exits without having closed it.
 * @returns has the file left alone from now on
 */
export function removeOnExit(path: string): () => void {
  const own = inodeOf(path);
  const remove = () => {
    if (own !== undefined && inodeOf(path) === own) unlinkSync(path);
  };
  process.on('exit', remove);
  return () => process.off('exit', remove);
}

/** Names the socket at `path`; undefined if there is none. */
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
