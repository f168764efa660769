import { Server } from 'node:net';

/** Whether the value is a server of node:http or node:https. The latter is not named, because loading it takes a shard 10 ms. */
export function isHttpServer(value: unknown): value is Server {
  return value instanceof Server && 'headersTimeout' in value;
}
