import { LoopShardError } from '../errors.js';
import type { RequestTypes, ShardRequest, ShardResponse } from './handler.js';

/** An event, as the browser's EventSource gets it (WHATWG HTML, section 9.2). */
export interface ServerSentEvent {
  /** Text as it is, line by line; any other value as JSON. Default: none, and EventSource tells nobody of the event. */
  data?: unknown;
  /** What listeners listen for; one line. Default: `message`. */
  event?: string;
  /** What the browser sends as `last-event-id` when it connects again; one line. */
  id?: string;
  /** How long the browser waits before it connects again, in milliseconds. */
  retry?: number;
}

export interface EventStreamOptions {
  /**
   * How often a comment is sent while there are no events, in milliseconds, 1 to 2,147,483,647: so that proxies leave the
   * connection open, and clients that vanish are found out. Default 15,000.
   */
  heartbeatMs?: number;
}

/** The media type of Server-Sent Events. */
const EVENT_STREAM = 'text/event-stream';
/** What their responses say unless the handler has set it: no cache, and no proxy such as nginx, may hold events back. */
export const EVENT_STREAM_FIELDS = [
  ['cache-control', 'no-cache'],
  ['x-accel-buffering', 'no'],
] as const;

const HEARTBEAT = ':\n\n';
const MAX_TIMER_MS = 2 ** 31 - 1;
/** What ends a line of an event stream. */
const LINE_ENDS = /\r\n|\r|\n/;

/** Is a response with this content type one of Server-Sent Events? */
export function isEventStream(contentType: string | undefined): boolean {
  return contentType !== undefined && /^text\/event-stream[\t ]*(;|$)/i.test(contentType);
}

/**
 * A response of Server-Sent Events: sends the head at once, each event as it comes, comments in between, and ends when
 * `events` do or the client is gone; then `events` are returned, and not waited for. Shard.
 *
 * `return eventStream(req, res, events)` in a handler; where the client left off is in `req.header('last-event-id')`.
 * @throws LoopShardError OPTION_INVALID; on the way RESPONSE_INVALID for an event that cannot be written
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

/** The head first, so that the client knows it is connected; then each event as text, or a comment when there is none for too long. */
class EventFrames implements AsyncIterableIterator<string, undefined> {
  readonly #req: ShardRequest<RequestTypes>;
  readonly #events: AsyncIterator<ServerSentEvent>;
  readonly #heartbeatMs: number;
  #heartbeat: NodeJS.Timeout | undefined;
  #isBegun = false;
  #isOver = false;
  /** An event was asked for, and has not come. */
  #isAwaited = false;
  /** What has come while nobody waited: a client is slower than the events. */
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

  /** An event that was awaited while a comment was sent waits for the next look. */
  #give(next: Frame): void {
    if (this.#reader === undefined) this.#next = next;
    else this.#reader.resolve(next);
    this.#reader = undefined;
  }

  #onSilence(): void {
    this.#heartbeat?.refresh();
    if (this.#reader !== undefined) this.#give({ done: false, value: HEARTBEAT });
  }

  /** The events are over, or nobody wants them any more: they may be waiting for ever for the next one, so their end is not waited for. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#heartbeat);
    this.#reader?.resolve(DONE);
    this.#reader = undefined;
    try {
      Promise.resolve(this.#events.return?.()).catch(() => {});
    } catch {
      // What fails at the end is nobody's business: nobody listens any more.
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
  throw invalid(`The data of an event is a ${typeof data}, which JSON cannot represent. Pass text or a JSON value.`);
}

function oneLine(name: string, value: string): string {
  // A browser ignores an id with NUL.
  if (typeof value === 'string' && !/[\r\n\0]/.test(value)) return value;
  throw invalid(`The \`${name}\` of an event must be a string of one line, without NUL.`);
}

function milliseconds(retry: number): number {
  if (Number.isInteger(retry) && retry >= 0) return retry;
  throw invalid(`The \`retry\` of an event must be a whole number of milliseconds, got ${retry}.`);
}

function invalid(message: string): LoopShardError {
  return new LoopShardError('RESPONSE_INVALID', message);
}
