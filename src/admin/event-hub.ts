import type { ServerResponse } from 'node:http';
import type { History } from './history.js';
import type { AdminSubject } from './subject.js';

/** Interval of the event `activity`. */
const ACTIVITY_MS = 250;
/** How long events are gathered before they are written. */
const GATHER_MS = 50;
/** Bytes that a slow client may have waiting. Above that, it misses events. */
const MAX_WAITING_BYTES = 1 << 20;
const RETRY_MS = 2_000;
export const EVENTS_HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };

interface Client {
  response: ServerResponse;
  /** Number of events that it has missed since the last one it got. */
  missed: number;
}

/**
 * Sends Server-Sent Events to the clients of the admin listener: `activity` four times a second, `figures` and `overview` with each sample of
 * the history, and each event of the server with the time `at`. Works only while there are clients. Control thread.
 */
export class EventHub {
  readonly #subject: AdminSubject;
  readonly #history: History | undefined;
  readonly #clients = new Set<Client>();
  #pending = '';
  #pendingCount = 0;
  #gathering: NodeJS.Timeout | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;

  /** @param history undefined without metrics */
  constructor(subject: AdminSubject, history: History | undefined) {
    this.#subject = subject;
    this.#history = history;
  }

  /** Sends events to a client until it disconnects. */
  add(response: ServerResponse): void {
    const client: Client = { response, missed: 0 };
    response.writeHead(200, EVENTS_HEAD);
    response.write(`retry: ${RETRY_MS}\n\n${this.#first()}`);
    this.#clients.add(client);
    response.once('close', () => this.#remove(client));
    if (this.#clients.size === 1) this.#start();
  }

  /** What a client needs to know before anything changes. */
  #first(): string {
    const activity = format('activity', this.#subject.activity());
    const history = this.#history;
    if (history === undefined) return activity;
    return (
      format('figures', this.#subject.figures()) +
      format('history', history.view()) +
      format('overview', history.overview()) +
      activity
    );
  }

  #start(): void {
    this.#ticking = setInterval(() => this.#add(format('activity', this.#subject.activity())), ACTIVITY_MS).unref();
    this.#stopListening = this.#subject.listen((name, data) => this.#add(format(name, withTime(data))));
    const history = this.#history;
    if (history === undefined) return;
    history.onSample = () => {
      this.#add(format('figures', history.figures));
      this.#add(format('overview', history.overview()));
    };
  }

  #remove(client: Client): void {
    if (!this.#clients.delete(client) || this.#clients.size > 0) return;
    clearInterval(this.#ticking);
    this.#stopListening?.();
    if (this.#history !== undefined) this.#history.onSample = undefined;
    this.#flush();
  }

  #add(event: string): void {
    this.#pending += event;
    this.#pendingCount++;
    this.#gathering ??= setTimeout(() => this.#flush(), GATHER_MS).unref();
  }

  #flush(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const [text, count] = [this.#pending, this.#pendingCount];
    this.#pending = '';
    this.#pendingCount = 0;
    for (const client of this.#clients) this.#write(client, text, count);
  }

  #write(client: Client, text: string, count: number): void {
    const { response } = client;
    if (response.writableLength > MAX_WAITING_BYTES) {
      client.missed += count;
      return;
    }
    const missed = client.missed === 0 ? '' : format('missed', { events: client.missed });
    client.missed = 0;
    response.write(missed + text);
  }

  /** Ends all streams, after the events so far. */
  close(): void {
    this.#flush();
    for (const { response } of this.#clients) response.end();
  }
}

function format(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The data of an event with its time, in milliseconds since 1970. */
function withTime(data: unknown): object {
  return { at: Date.now(), ...(typeof data === 'object' ? data : { value: data }) };
}
