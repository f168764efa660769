import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { AdminError } from './admin-error.js';
import { EVENTS_HEAD, type EventHub } from './event-hub.js';
import type { History } from './history.js';
import { pageFiles } from './page-files.js';
import type { AdminSubject } from './subject.js';

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const MAX_BODY_BYTES = 16_384;
const DEFAULT_PROFILE_SECONDS = 5;
const MAX_PROFILE_SECONDS = 60;

/** A request to the admin listener. */
export interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  /** Parameters of the path. */
  params: Record<string, string | undefined>;
  query: URLSearchParams;
}

export interface Endpoint {
  method: 'GET' | 'POST';
  /** A find-my-way pattern. */
  pattern: string;
  /** Probes need no token, and neither do the files of the page, which asks for it. */
  isOpen?: true;
  /** @throws AdminError, LoopShardError */
  handle(call: Call): void | Promise<void>;
}

/**
 * All endpoints of the admin listener. Control thread.
 * @param history undefined without metrics
 */
export function endpointsOf(subject: AdminSubject, events: EventHub, history: History | undefined): Endpoint[] {
  const shardOf = ({ params: { shard = '' } }: Call): number => {
    const found = subject.shards.find((number) => String(number) === shard);
    if (found !== undefined) return found;
    const text = `There is no shard ${shard}. Shards that run: ${subject.shards.join(', ')}.`;
    throw new AdminError(404, 'SHARD_UNKNOWN', text);
  };
  const files = pageFiles.map(
    (file): Endpoint => ({
      method: 'GET',
      pattern: file.path,
      isOpen: true,
      handle: ({ request, response }) => file.send(request, response),
    }),
  );
  return [
    ...files,
    {
      method: 'GET',
      pattern: '/livez',
      isOpen: true,
      handle: ({ response }) => sendJson(response, 200, { status: 'live' }),
    },
    {
      method: 'GET',
      pattern: '/readyz',
      isOpen: true,
      handle: ({ response }) => {
        const why = subject.whyNotReady();
        if (why === undefined) sendJson(response, 200, { status: 'ready' });
        else sendJson(response, 503, { status: 'not ready', ...why });
      },
    },
    {
      method: 'GET',
      pattern: '/metrics',
      handle: async ({ response }) => send(response, METRICS_TYPE, await subject.metrics()),
    },
    { method: 'GET', pattern: '/stats', handle: ({ response }) => sendJson(response, 200, subject.stats()) },
    { method: 'GET', pattern: '/figures', handle: ({ response }) => sendJson(response, 200, subject.figures()) },
    { method: 'GET', pattern: '/activity', handle: ({ response }) => sendJson(response, 200, subject.activity()) },
    {
      method: 'GET',
      pattern: '/overview',
      handle: ({ response }) => sendJson(response, 200, withMetrics(history).overview()),
    },
    {
      method: 'GET',
      pattern: '/history',
      handle: ({ response }) => sendJson(response, 200, withMetrics(history).view()),
    },
    {
      method: 'GET',
      pattern: '/events',
      handle: ({ request, response }) => {
        // Nothing would end a response without a body.
        if (request.method === 'HEAD') response.writeHead(200, EVENTS_HEAD).end();
        else events.add(response);
      },
    },
    {
      method: 'POST',
      pattern: '/reload',
      handle: async ({ response }) => {
        await subject.reload();
        sendJson(response, 200, { status: 'reloaded' });
      },
    },
    {
      method: 'POST',
      pattern: '/permits',
      handle: async ({ request, response }) => {
        const { permits, ...holder } = await readJson(request);
        subject.setPermits(permits as number, Object.keys(holder).length === 0 ? undefined : holder);
        sendJson(response, 200, { status: 'changed' });
      },
    },
    {
      method: 'POST',
      pattern: '/shards/:shard/restart',
      handle: async (call) => {
        const shard = await subject.restartShard(shardOf(call));
        sendJson(call.response, 200, { status: 'restarted', shard });
      },
    },
    {
      method: 'POST',
      pattern: '/shards/:shard/cpu-profile',
      handle: async (call) => {
        const { response } = call;
        const shard = shardOf(call);
        const leaving = new AbortController();
        response.once('close', () => leaving.abort());
        const profile = await subject.cpuProfile(shard, secondsOf(call.query), leaving.signal);
        nameFile(response, `shard-${shard}`, 'cpuprofile');
        send(response, 'application/json', profile);
      },
    },
    {
      method: 'POST',
      pattern: '/shards/:shard/heap-snapshot',
      handle: async ({ response, ...call }) => {
        const shard = shardOf({ response, ...call });
        const snapshot = await subject.heapSnapshot(shard);
        nameFile(response, `shard-${shard}`, 'heapsnapshot');
        response.writeHead(200, { 'content-type': 'application/json' });
        await pipeline(snapshot, response);
      },
    },
  ];
}

/** @throws AdminError */
function withMetrics(history: History | undefined): History {
  if (history !== undefined) return history;
  throw new AdminError(
    404,
    'METRICS_DISABLED',
    'The server does not count metrics. Start it without `metrics: false`.',
  );
}

/** @throws AdminError */
function secondsOf(query: URLSearchParams): number {
  const text = query.get('seconds');
  const seconds = text === null ? DEFAULT_PROFILE_SECONDS : Number(text);
  if (seconds > 0 && seconds <= MAX_PROFILE_SECONDS) return seconds;
  throw new AdminError(
    400,
    'SECONDS_INVALID',
    `\`seconds\` must be a number above 0, at most ${MAX_PROFILE_SECONDS}, got \`${text}\`.`,
  );
}

/** @throws AdminError */
async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new AdminError(415, 'TYPE_UNSUPPORTED', 'Send JSON, with `Content-Type: application/json`.');
  }
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY_BYTES) throw new AdminError(413, 'BODY_TOO_LARGE', 'The request body is too large.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AdminError(400, 'BODY_INVALID', `The body is not JSON: ${(error as Error).message}.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AdminError(400, 'BODY_INVALID', 'The body must be an object such as `{ "permits": 100 }`.');
}

/** Makes browsers save the response. */
function nameFile(response: ServerResponse, name: string, extension: string): void {
  const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
  response.setHeader('content-disposition', `attachment; filename="${name}-${time}.${extension}"`);
}

export function sendJson(response: ServerResponse, status: number, value: object): void {
  response.statusCode = status;
  send(response, 'application/json', JSON.stringify(value));
}

function send(response: ServerResponse, type: string, text: string): void {
  response.setHeader('content-type', type);
  response.setHeader('cache-control', 'no-store');
  response.end(text);
}
