import { LoopShardError } from '../errors.js';
import type { ShardRequest, ShardResponse } from './handler.js';

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
  req: ShardRequest,
  res: ShardResponse,
  events: AsyncIterable<ServerSentEvent>,
  { heartbeatMs = 15_000 }: EventStreamOptions = {},
): AsyncIterable<string> {
  if (!Number.isInteger(heartbeatMs) || heartbeatMs < 1 || heartbeatMs > MAX_TIMER_MS) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `The option heartbeatMs must be an integer from 1 to ${MAX_TIMER_MS}, not ${heartbeatMs}.`,
    );
  }
  res.type(EVENT_STREAM);
  return frames(events, req.signal, heartbeatMs);
}

async function* frames(
  events: AsyncIterable<ServerSentEvent>,
  signal: AbortSignal,
  heartbeatMs: number,
): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    // The head, so that the client knows it is connected.
    yield '';
    for (let next = iterator.next(); ; ) {
      const outcome = await nextOf(next, signal, heartbeatMs);
      if (outcome === 'silence') yield HEARTBEAT;
      else if (outcome === 'gone' || outcome.done === true) return;
      else {
        yield frame(outcome.value);
        next = iterator.next();
      }
    }
  } finally {
    // Not waited for: it may wait for ever for its next event.
    Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** The next event, unless there is silence for too long, or the client is gone. */
async function nextOf(
  next: Promise<IteratorResult<ServerSentEvent>>,
  signal: AbortSignal,
  heartbeatMs: number,
): Promise<IteratorResult<ServerSentEvent> | 'silence' | 'gone'> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const interruption = new Promise<'silence' | 'gone'>((resolve) => {
    timer = setTimeout(resolve, heartbeatMs, 'silence');
    onAbort = () => resolve('gone');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([next, interruption]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort!);
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
  throw invalid(`The data of an event is a ${typeof data}, which JSON cannot carry; pass text or a JSON value.`);
}

function oneLine(name: string, value: string): string {
  // A browser ignores an id with NUL.
  if (typeof value === 'string' && !/[\r\n\0]/.test(value)) return value;
  throw invalid(`The ${name} of an event must be a string of one line, without NUL.`);
}

function milliseconds(retry: number): number {
  if (Number.isInteger(retry) && retry >= 0) return retry;
  throw invalid(`The retry of an event must be a whole number of milliseconds, not ${retry}.`);
}

function invalid(message: string): LoopShardError {
  return new LoopShardError('RESPONSE_INVALID', message);
}
