import { BroadcastChannel } from 'node:worker_threads';
import { until } from './server.js';

/** A span as fixtures/traces/tracing.js exports it. Times are milliseconds since 1970. */
export interface ExportedSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentId: string | undefined;
  traceState: string | undefined;
  start: number;
  end: number;
  status: { code: number; message?: string };
  attributes: Record<string, unknown>;
  events: { name: string; at: number; attributes?: Record<string, unknown> }[];
  scope: string;
}

/** Receives the spans of all shards, and directs the handlers of fixtures/traces/app.js. */
export class Spans {
  readonly all: ExportedSpan[] = [];
  /** How many SDKs were shut down. */
  shutdowns = 0;
  readonly #heard: string[] = [];
  readonly #spans = new BroadcastChannel('traces');
  readonly #handlers = new BroadcastChannel('traces-app');

  constructor() {
    this.#spans.onmessage = (event) => {
      const { data } = event as { data: ExportedSpan[] | 'shutdown' };
      if (data === 'shutdown') this.shutdowns++;
      else this.all.push(...data);
    };
    this.#handlers.onmessage = (event) => void this.#heard.push((event as { data: string }).data);
  }

  /** The spans of the server. */
  get ofServer(): ExportedSpan[] {
    return this.all.filter(({ scope }) => scope === 'loopshard');
  }

  /** Resolves with the server span of a path, once it has ended. */
  async of(path: string): Promise<ExportedSpan> {
    const find = () => this.ofServer.find(({ attributes }) => attributes['url.path'] === path);
    await until(() => find() !== undefined, `the span of ${path}`);
    return find()!;
  }

  /** Resolves with the span of the app that has this name. */
  async named(name: string): Promise<ExportedSpan> {
    const find = () => this.all.find((span) => span.scope === 'app' && span.name === name);
    await until(() => find() !== undefined, `the span ${name}`);
    return find()!;
  }

  /** Resolves once the handler that is held under this name has started. */
  async started(name: string): Promise<void> {
    await until(() => this.#heard.includes(`started ${name}`), `the start of ${name}`);
  }

  release(name: string): void {
    this.#handlers.postMessage(name);
  }

  close(): void {
    this.#spans.close();
    this.#handlers.close();
  }
}
