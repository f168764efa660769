import { readEvents } from '../event-reader.js';
import type { Access } from './access.js';

/** The server sends something at least four times a second. */
const SILENCE_MS = 4_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000];

export interface ConnectionEvents {
  onEvent(name: string, data: unknown): void;
  /** The events have begun. */
  onOpen(): void;
  /** They have ended, or nothing has arrived for four seconds. The connection is retried. */
  onLost(): void;
}

/** The stream of events. Connects again for ever. */
export class Connection {
  readonly #access: Access;
  readonly #events: ConnectionEvents;

  constructor(access: Access, events: ConnectionEvents) {
    this.#access = access;
    this.#events = events;
  }

  async run(): Promise<never> {
    for (let attempts = 0; ; attempts++) {
      const begun = await this.#read().catch(() => false);
      this.#events.onLost();
      if (begun) attempts = 0;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)]));
    }
  }

  /** Returns whether any events have arrived. */
  async #read(): Promise<boolean> {
    const silence = new AbortController();
    let timer: number | undefined;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
    };
    let hasBegun = false;
    try {
      heard();
      const response = await this.#access.fetch('events', { signal: silence.signal });
      if (!response.ok || response.body === null) return false;
      this.#events.onOpen();
      hasBegun = true;
      await readEvents(response.body.getReader(), { onEvent: this.#events.onEvent, onBytes: heard });
    } catch {
      // The stream has broken.
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
    return hasBegun;
  }
}
