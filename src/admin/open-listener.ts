import type { Server } from 'node:net';
import { listenError } from '../options/listening.js';

/**
 * Starts to listen.
 * @param option under which the address was set
 * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
 */
export function openListener(
  server: Server,
  { host, port }: { host: string; port: number },
  option: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException) =>
      reject(listenError(cause, { target: { host, port }, name: `port ${port} of ${host} for \`${option}\`` }));
    server.once('error', refuse);
    server.listen({ host, port }, () => {
      server.off('error', refuse);
      // For instance, no descriptor is left for another connection.
      server.on('error', () => {});
      resolve();
    });
  });
}
