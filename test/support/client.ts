import { connect, type Socket } from 'node:net';

/** A response as received. */
export interface RawResponse {
  statusLine: string;
  status: number;
  /** Headers in the order received, names in lower case. */
  fields: [string, string][];
  body: Buffer;
}

/** The value of a response header. */
export function field(response: RawResponse, name: string): string | undefined {
  return response.fields.find(([key]) => key === name)?.[1];
}

/** A raw connection: writes the given bytes, and splits responses by their content-length. */
export class RawClient {
  readonly socket: Socket;
  ended = false;
  /** Received but unread bytes; joined when they are read. */
  #chunks: Buffer[] = [];
  #pendingBytes = 0;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#pendingBytes += chunk.length;
      this.#notify();
    });
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.ended = true;
        this.#notify();
      });
    }
  }

  /** @param where a port of 127.0.0.1, or the path of a Unix socket */
  static open(where: number | string, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const place = typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1', noDelay: true };
      const socket = connect({ ...place, ...options });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  #notify(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Received but unread bytes. */
  get pending(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  /** Removes bytes that the caller has parsed. */
  skip(bytes: number): void {
    this.#chunks = [this.pending.subarray(bytes)];
    this.#pendingBytes -= bytes;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Writes, and waits until the kernel has taken the bytes. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(bytes, () => resolve());
    });
  }

  /** Reads the next response. Pass `hasBody: false` for the response to HEAD. */
  async response(options: { hasBody?: boolean } = {}): Promise<RawResponse> {
    let end = this.pending.indexOf('\r\n\r\n');
    while (end < 0) {
      if (this.ended) throw new Error(`the connection ended before a response; received ${this.pending}`);
      await this.#change();
      end = this.pending.indexOf('\r\n\r\n');
    }
    const [statusLine, ...lines] = this.pending.toString('latin1', 0, end).split('\r\n');
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const status = Number(statusLine.split(' ')[1]);
    const length = Number(fields.find(([name]) => name === 'content-length')?.[1] ?? 0);
    const total = end + 4 + (options.hasBody === false ? 0 : length);
    while (this.#pendingBytes < total) {
      if (this.ended) throw new Error(`the connection ended ${total - this.#pendingBytes} bytes early`);
      await this.#change();
    }
    const body = Buffer.from(this.pending.subarray(end + 4, total));
    this.skip(total);
    return { statusLine, status, fields, body };
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.ended) await this.#change();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends one request on its own connection. */
export async function exchange(port: number, bytes: string | Uint8Array, hasBody = true): Promise<RawResponse> {
  const client = await RawClient.open(port);
  try {
    client.write(bytes);
    return await client.response({ hasBody });
  } finally {
    client.destroy();
  }
}

/** The bytes of a GET request. */
export function get(target: string, ...fields: string[]): string {
  return `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`;
}

/** The bytes of a POST request. */
export function post(target: string, body: string | Uint8Array, ...fields: string[]): Buffer {
  const bytes = Buffer.from(body as string);
  const lines = [`POST ${target} HTTP/1.1`, 'Host: localhost', `Content-Length: ${bytes.length}`, ...fields];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]);
}
