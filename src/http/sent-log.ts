import type { MessagePort } from 'node:worker_threads';
import type { HttpReport, LogLine } from './messages.js';

/** How long lines of the access log are gathered before they are sent. */
const LOG_MS = 10;

/** The access log of an HTTP thread without a logger: sends its lines in batches to the control thread. HTTP thread. */
export class SentLog {
  readonly #channel: MessagePort;
  #lines: LogLine[] = [];

  constructor(channel: MessagePort) {
    this.#channel = channel;
  }

  info(details: object, message: string): void {
    if (this.#lines.push({ details, message }) === 1) setTimeout(() => this.flush(), LOG_MS);
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    this.#channel.postMessage({ type: 'log', lines: this.#lines } satisfies HttpReport);
    this.#lines = [];
  }
}
