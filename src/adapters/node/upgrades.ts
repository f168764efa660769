/* Which requests an http.Server takes over as upgrades, as node:http decides it. */
import type { IncomingMessage } from 'node:http';
import type { UpgradeSocket } from '../../app/upgrades/upgrade-socket.js';
import type { NodeServer } from './http-server.js';

/** Whether the server takes over the connection of a request that offers another protocol. Otherwise it is an ordinary request. */
export function wantsUpgrade(server: NodeServer, request: IncomingMessage): boolean {
  if (typeof server.shouldUpgradeCallback === 'function') return Boolean(server.shouldUpgradeCallback(request));
  return server.listenerCount('upgrade') > 0;
}

/** Tells the listeners of servers that have no connections of their own: libraries such as socket.io close those that they have taken over. */
export function closeServers(servers: readonly NodeServer[]): void {
  for (const server of new Set(servers)) server.close();
}

/** Passes the connection to the listeners of the server. */
export function emitUpgrade(server: NodeServer, request: IncomingMessage, socket: UpgradeSocket, head: Buffer): void {
  socket.server = server;
  if (!server.emit('upgrade', request, socket, head)) socket.destroy();
}
