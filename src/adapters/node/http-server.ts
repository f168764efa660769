import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Server } from 'node:net';

/** An `http.Server` of the app. It has no connections of its own. */
export interface NodeServer extends EventEmitter {
  /** How long its sockets may be idle, in milliseconds; 0 or undefined for as long as the server of LoopShard lets them. */
  timeout?: number;
  /** An option of `createServer()`. Versions of Node.js that know it set a default. */
  shouldUpgradeCallback?: (request: IncomingMessage) => unknown;
  close(): unknown;
}

/** Whether the value is a server of node:http or node:https. The latter is not named, because loading it takes a shard 10 ms. */
export function isHttpServer(value: unknown): value is Server {
  return value instanceof Server && 'headersTimeout' in value;
}
