import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import type { ConnectionSource } from '../options/listening.js';

/** Where a client seems to connect from. */
export interface Client {
  remoteAddress: string;
  remotePort: number;
}

/** Connections without a network: what is written on one end is read on the other. */
export class InnerConnections implements ConnectionSource {
  #onConnection: ((socket: Socket) => void) | undefined;

  open(onConnection: (socket: Socket) => void): void {
    this.#onConnection = onConnection;
  }

  /** Returns the client's end of a new connection. */
  connect(client: Client): Duplex {
    const [near, far] = duplexPair();
    // An end that is gone takes the other one with it, as the sockets of a connection do.
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    const { remoteAddress, remotePort } = client;
    const resetAndDestroy = () => far.destroy();
    this.#onConnection!(Object.assign(far, { remoteAddress, remotePort, resetAndDestroy }) as unknown as Socket);
    return near;
  }
}
