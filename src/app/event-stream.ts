import { LoopShardError } from '../errors.js';
import type { RequestTypes, ShardRequest, ShardResponse } from './handler.js';

/** A server-sent event (WHATWG HTML, section 9.2). */
export interface ServerSentEvent {
  /** The payload: text is sent unchanged, any other value as JSON. Default: none, and EventSource does not dispatch the event. */
  data?: unknown;
  /** Name of the event, which listeners listen for; one line. Default: `message`. */
  event?: string;
  /** Sent by the browser as `last-event-id` when it reconnects; one line. */
  id?: string;
  /** How long the browser waits before it reconnects, in milliseconds. */
  retry?: number;
}

/** Options of `eventStream()`. */
export interface EventStreamOptions {
  /**
   * Interval in milliseconds at which a comment is sent while no events arrive, 1 to 2,147,483,647. Comments keep proxies from closing
   * the connection, and reveal clients that have vanished. Default 15,000.
   */
  heartbeatMs?: number;
}

/** The media type of Server-Sent Events. */
const EVENT_STREAM = 'text/event-stream';
/** Headers of event streams, unless the handler sets them: neither caches nor proxies such as nginx may delay events. */
export const EVENT_STREAM_FIELDS = [
  ['cache-control', 'no-cache'],
  ['x-accel-buffering', 'no'],
] as const;

const HEARTBEAT = ':\n\n';
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Line ends in an event stream. */
const LINE_ENDS = /\r\n|\r|\n/;

/** Whether a content type is that of server-sent events. */
export function isEventStream(contentType: string | undefined): boolean {
  return contentType !== undefined && /^text\/event-stream[\t ]*(;|$)/i.test(contentType);
}

/**
 * Responds with server-sent events. Sends the head immediately, then each event as it arrives, with comments in between. Ends when
 * `events` ends or the client disconnects; `events.return()` is then called but not awaited. Shard only.
 *
 * Use `return eventStream(req, res, events)` in a handler. `req.header('last-event-id')` is the last event that the client received.
 * @throws LoopShardError OPTION_INVALID; while streaming, RESPONSE_INVALID for an event that cannot be written
 */
export function eventStream(
  req: ShardRequest<RequestTypes>,
  res: ShardResponse,
  events: AsyncIterable<ServerSentEvent>,
  { heartbeatMs = 15_000 }: EventStreamOptions = {},
): AsyncIterable<string> {
  if (!Number.isInteger(heartbeatMs) || heartbeatMs < 1 || heartbeatMs > MAX_TIMER_MS) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `Option \`heartbeatMs\` must be an integer from 1 to ${MAX_TIMER_MS}, got ${heartbeatMs}.`,
    );
  }
  res.type(EVENT_STREAM);
  return new EventFrames(req, events, heartbeatMs);
}

type Frame = IteratorResult<string, undefined>;

const DONE: Frame = { done: true, value: undefined };

/** Yields an empty chunk first, so that the head is sent immediately; then events as text, and comments after `heartbeatMs` of silence. */
class EventFrames implements AsyncIterableIterator<string, undefined> {
  readonly #req: ShardRequest<RequestTypes>;
  readonly #events: AsyncIterator<ServerSentEvent>;
  readonly #heartbeatMs: number;
  #heartbeat: NodeJS.Timeout | undefined;
  #isBegun = false;
  #isOver = false;
  /** `next()` of the events is pending. */
  #isAwaited = false;
  /** An event that arrived while no reader was waiting. */
  #next: Frame | undefined;
  #failure: { error: unknown } | undefined;
  #reader: { resolve(frame: Frame): void; reject(error: unknown): void } | undefined;

  constructor(req: ShardRequest<RequestTypes>, events: AsyncIterable<ServerSentEvent>, heartbeatMs: number) {
    this.#req = req;
    this.#events = events[Symbol.asyncIterator]();
    this.#heartbeatMs = heartbeatMs;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Frame> {
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#req.onAbort(() => this.#end());
      this.#heartbeat = setTimeout(() => this.#onSilence(), this.#heartbeatMs);
      return Promise.resolve({ done: false, value: '' });
    }
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#isOver) return Promise.resolve(DONE);
    if (this.#next !== undefined) {
      const next = this.#next;
      this.#next = undefined;
      return Promise.resolve(next);
    }
    this.#heartbeat?.refresh();
    this.#ask();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  return(): Promise<Frame> {
    this.#end();
    return Promise.resolve(DONE);
  }

  #ask(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#events.next().then(this.#onEvent, this.#onFailure);
  }

  readonly #onEvent = ({ done, value }: IteratorResult<ServerSentEvent>): void => {
    this.#isAwaited = false;
    if (this.#isOver) return;
    if (done === true) return this.#end();
    try {
      this.#give({ done: false, value: frame(value) });
    } catch (error) {
      this.#onFailure(error);
    }
  };

  readonly #onFailure = (error: unknown): void => {
    this.#isAwaited = false;
    if (this.#isOver) return;
    if (this.#reader === undefined) this.#failure = { error };
    else this.#reader.reject(error);
    this.#reader = undefined;
    this.#end();
  };

  /** Hands a frame to the reader. Without a reader, which may just have received a comment, keeps the frame for the next `next()`. */
  #give(next: Frame): void {
    if (this.#reader === undefined) this.#next = next;
    else this.#reader.resolve(next);
    this.#reader = undefined;
  }

  #onSilence(): void {
    this.#heartbeat?.refresh();
    if (this.#reader !== undefined) this.#give({ done: false, value: HEARTBEAT });
  }

  /** Ends the stream. `return()` of the events is not awaited: a generator that waits for its next event may never settle it. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#heartbeat);
    this.#reader?.resolve(DONE);
    this.#reader = undefined;
    try {
      Promise.resolve(this.#events.return?.()).catch(() => {});
    } catch {
      // The stream is over, so nobody could handle this error.
    }
  }
}

function frame({ data, event, id, retry }: ServerSentEvent): string {
  let text = '';
  if (event !== undefined) text += `event: ${oneLine('event', event)}\n`;
  if (id !== undefined) text += `id: ${oneLine('id', id)}\n`;
  if (retry !== undefined) text += `retry: ${milliseconds(retry)}\n`;
  if (data !== undefined) {
    for (const line of toText(data).split(LINE_ENDS)) text += `data: ${line}\n`;
  }
  return `${text}\n`;
}

function toText(data: unknown): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  if (text !== undefined) return text;
  throw invalid(`Invalid \`data\` of an event: expected text or a JSON value, got a ${typeof data}.`);
}

function oneLine(name: string, value: string): string {
  // Browsers ignore an id that contains NUL.
  if (typeof value === 'string' && !/[\r\n\0]/.test(value)) return value;
  throw invalid(
    `Invalid \`${name}\` of an event: expected a string of one line without NUL, got ${JSON.stringify(value)}.`,
  );
}

function milliseconds(retry: number): number {
  if (Number.isInteger(retry) && retry >= 0) return retry;
  throw invalid(`Invalid \`retry\` of an event: expected milliseconds as a non-negative integer, got ${retry}.`);
}

function invalid(message: string): LoopShardError {
  return new LoopShardError('RESPONSE_INVALID', message);
}
