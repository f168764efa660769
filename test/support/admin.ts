import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json, text } from 'node:stream/consumers';
import type { TestServer } from './server.js';

export interface AdminResponse {
  status: number;
  headers: IncomingMessage['headers'];
  /** Parsed JSON, or text. */
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  body: any;
}

export interface AdminRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

/** Sends a request to the admin listener, and returns the response with its body still to be read. */
export async function openAdmin(
  { server }: TestServer,
  path: string,
  { body, ...options }: AdminRequest = {},
): Promise<IncomingMessage> {
  const { address, port } = server.adminAddress()!;
  const sent = request({ host: address, port, path, ...options });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

export async function askAdmin(running: TestServer, path: string, options: AdminRequest = {}): Promise<AdminResponse> {
  const response = await openAdmin(running, path, options);
  const isJson = response.headers['content-type']?.startsWith('application/json') === true;
  const body = isJson ? await json(response) : await text(response);
  return { status: response.statusCode!, headers: response.headers, body };
}

/** Sends a JSON body. */
export function postAdmin(running: TestServer, path: string, value?: object): Promise<AdminResponse> {
  const headers = { 'content-type': 'application/json' };
  return askAdmin(running, path, { method: 'POST', headers, ...(value && { body: JSON.stringify(value) }) });
}

export interface AdminEvent {
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  data: any;
}

/** The Server-Sent Events of an admin listener, as they arrive. */
export class AdminEvents {
  readonly seen: AdminEvent[] = [];
  isOver = false;
  readonly #response: IncomingMessage;
  #rest = '';

  static async open(running: TestServer): Promise<AdminEvents> {
    return new AdminEvents(await openAdmin(running, '/events'));
  }

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8').on('data', (chunk) => this.#onText(chunk));
    for (const end of ['end', 'error', 'close']) {
      response.on(end, () => {
        this.isOver = true;
      });
    }
  }

  #onText(chunk: string): void {
    const events = (this.#rest + chunk).split('\n\n');
    this.#rest = events.pop()!;
    for (const event of events) {
      const [, name] = /^event: (.*)$/m.exec(event) ?? [];
      const [, data] = /^data: (.*)$/m.exec(event) ?? [];
      if (name !== undefined) this.seen.push({ name, data: JSON.parse(data!) });
    }
  }

  named(name: string): AdminEvent['data'][] {
    return this.seen.filter((event) => event.name === name).map(({ data }) => data);
  }

  close(): void {
    this.#response.destroy();
  }
}
