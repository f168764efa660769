import { once } from 'node:events';
import { type ClientOptions, type RawData, WebSocket } from 'ws';

/** A WebSocket, and the messages that it has received and that were not read yet. */
export class WebSocketClient {
  readonly socket: WebSocket;
  readonly #messages: (Buffer | string)[] = [];
  readonly #readers: ((message: Buffer | string) => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data: RawData, isBinary: boolean) => {
      const message = isBinary ? (data as Buffer) : data.toString();
      const reader = this.#readers.shift();
      if (reader === undefined) this.#messages.push(message);
      else reader(message);
    });
  }

  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<WebSocketClient> {
    const socket = new WebSocket(url, protocols, options);
    const client = new WebSocketClient(socket);
    await once(socket, 'open');
    return client;
  }

  send(message: string | Buffer): void {
    this.socket.send(message);
  }

  /** Reads the next message. */
  next(): Promise<Buffer | string> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => {
      this.#readers.push(resolve);
    });
  }

  /** Sends a message and reads the next one. */
  ask(message: string | Buffer): Promise<Buffer | string> {
    this.send(message);
    return this.next();
  }

  /** Resolves with the close code and reason. */
  async closed(): Promise<[code: number, reason: string]> {
    const [code, reason] = await once(this.socket, 'close');
    return [code, reason.toString()];
  }
}
