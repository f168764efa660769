import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import type { ConnectionSource } from '../options/listening.js';

/** Address that the app sees for a client. */
export interface Client {
  remoteAddress: string;
  remotePort: number;
}

/** Connections inside the process, without a network. */
export class InnerConnections implements ConnectionSource {
  #onConnection: ((socket: Socket) => void) | undefined;

  open(onConnection: (socket: Socket) => void): void {
    this.#onConnection = onConnection;
  }

  /** Returns the client's end of a new connection. */
  connect(client: Client): Duplex {
    const [near, far] = duplexPair();
    // When one end closes, the other one closes too, as with sockets.
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    const { remoteAddress, remotePort } = client;
    const resetAndDestroy = () => far.destroy();
    this.#onConnection!(Object.assign(far, { remoteAddress, remotePort, resetAndDestroy }) as unknown as Socket);
    return near;
  }
}
