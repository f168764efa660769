import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import type { Handler, Params } from '../handler.js';
import { type AppRequest, SOURCE } from '../request.js';
import { createUpgradeRequest } from './incoming-message.js';
import { ShardSocket } from './shard-socket.js';
import type { UpgradeSocket } from './upgrade-socket.js';

/** A request to change the protocol: that of `node:http`, with the parameters of its route. */
export interface ShardUpgradeRequest<P = Params> extends IncomingMessage {
  /** Decoded path parameters. */
  readonly params: P;
}

/**
 * Takes over a connection, and writes the response itself, such as `HTTP/1.1 101 Switching Protocols`. If it throws or rejects, the error is
 * logged and the connection is closed.
 * @param socket reads and writes the connection from now on
 * @param head the first bytes that the client has sent after the request; may be empty
 */
export type UpgradeHandler<P = Params> = (
  request: ShardUpgradeRequest<P>,
  socket: UpgradeSocket,
  head: Buffer,
) => unknown;

/** Makes the handler of an upgrade route. */
export function takingOver(handler: UpgradeHandler): Handler {
  return (req) => {
    const { params } = req;
    const source = (req as unknown as AppRequest)[SOURCE];
    return new ShardSocket(source, (socket, head) => {
      const request = Object.assign(createUpgradeRequest(source, socket), { params });
      try {
        const result = handler(request, socket, head);
        if (types.isPromise(result)) result.catch((error) => socket.fail(error));
      } catch (error) {
        socket.fail(error);
      }
    }) as never;
  };
}
