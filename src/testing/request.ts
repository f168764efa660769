import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request as send } from 'node:http';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { inspect, types } from 'node:util';
import type Cookie from 'cookie';
import type FastQuerystring from 'fast-querystring';
import { lazily } from '../core/lazily.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { METHODS } from '../options/methods.js';
import type { Client } from './connections.js';

const cookies = lazily<typeof Cookie>('cookie');
const querystring = lazily<typeof FastQuerystring>('fast-querystring');

/** A request to an app, with the option names of light-my-request. */
export interface InjectOptions {
  /** Default `GET`. */
  method?: string;
  /** Path with its query, or a complete URL, whose host becomes the header Host. */
  url: string;
  /** Added to the query of `url`; a value may be an array. */
  query?: Record<string, string | number | boolean | readonly (string | number | boolean)[]>;
  /** Headers of the request; an array sends one field per value. */
  headers?: Record<string, string | number | readonly string[]>;
  /** Sent as the header Cookie. */
  cookies?: Record<string, string>;
  /** The body: text, bytes or a stream is sent unchanged, any other value as JSON with its content type. */
  payload?: unknown;
  /** Alias of `payload`. */
  body?: unknown;
  /** Address of the client. Default `127.0.0.1`. */
  remoteAddress?: string;
  /** Aborts the request: the client disconnects, and the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** A cookie that a response sets. */
export interface InjectedCookie {
  /** Name of the cookie. */
  name: string;
  /** Value of the cookie, decoded. */
  value: string | undefined;
  [attribute: string]: unknown;
}

/** A response, in the format of light-my-request. */
export interface InjectResponse {
  /** The status. */
  statusCode: number;
  /** The reason phrase. */
  statusMessage: string;
  /** By lower-case name. */
  headers: IncomingHttpHeaders;
  /** Trailers by lower-case name. */
  trailers: NodeJS.Dict<string>;
  /** The body. */
  rawPayload: Buffer;
  /** The body as UTF-8. */
  payload: string;
  /** Alias of `payload`. */
  body: string;
  /** Cookies that the response sets. */
  cookies: readonly InjectedCookie[];
  /** Parses the body as JSON. Throws a SyntaxError if it is not JSON. */
  json<T = unknown>(): T;
}

const FIELDS: readonly (keyof InjectOptions)[] = [
  'method',
  'url',
  'query',
  'headers',
  'cookies',
  'payload',
  'body',
  'remoteAddress',
  'signal',
];

/** A checked request, ready to be sent. */
export interface CheckedRequest {
  method: string;
  target: string;
  headers: OutgoingHttpHeaders;
  payload: string | Uint8Array | Readable | undefined;
  client: Client;
  signal: AbortSignal | undefined;
}

/** @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN */
export function checkRequest(given: InjectOptions | string): CheckedRequest {
  const options = typeof given === 'string' ? { url: given } : given;
  if (typeof options !== 'object' || options === null) throw invalid('a request', 'a URL or an object', given);
  checkOptionNames(options, FIELDS, '`inject()`');
  const { method = 'GET', query, cookies: sent, remoteAddress = '127.0.0.1', signal } = options;
  if (typeof method !== 'string' || !(METHODS as readonly string[]).includes(method.toUpperCase())) {
    throw invalid('`method`', 'an HTTP method', method);
  }
  const { target, host } = targetOf(options.url);
  const headers: OutgoingHttpHeaders = { host, connection: 'keep-alive' };
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value as string;
  if (sent !== undefined) {
    const line = cookies().stringifyCookie(sent);
    headers.cookie = headers.cookie === undefined ? line : `${headers.cookie}; ${line}`;
  }
  const payload = payloadOf(options.payload ?? options.body, headers);
  const client = { remoteAddress, remotePort: 49_152 };
  return { method: method.toUpperCase(), target: withQuery(target, query), headers, payload, client, signal };
}

function targetOf(url: unknown): { target: string; host: string } {
  if (typeof url === 'string' && url.startsWith('/')) return { target: url, host: 'localhost' };
  try {
    const { pathname, search, host } = new URL(url as string);
    return { target: pathname + search, host };
  } catch {
    throw invalid('`url`', 'a path that begins with `/`, or a URL', url);
  }
}

function withQuery(target: string, query: InjectOptions['query']): string {
  if (query === undefined) return target;
  const added = querystring().stringify(query);
  return added === '' ? target : `${target}${target.includes('?') ? '&' : '?'}${added}`;
}

/** Converts the payload and sets the headers that it needs. */
function payloadOf(payload: unknown, headers: OutgoingHttpHeaders): CheckedRequest['payload'] {
  if (payload === undefined || payload instanceof Readable) return payload;
  if (types.isUint8Array(payload) || typeof payload === 'string') return withLength(payload, headers);
  if (typeof payload === 'object' && payload !== null && Symbol.asyncIterator in payload) {
    return Readable.from(payload as AsyncIterable<unknown>);
  }
  headers['content-type'] ??= 'application/json';
  return withLength(JSON.stringify(payload), headers);
}

function withLength<T extends string | Uint8Array>(payload: T, headers: OutgoingHttpHeaders): T {
  headers['content-length'] ??= Buffer.byteLength(payload);
  return payload;
}

/** Sends a request over a new connection with Node.js's client, and reads the complete response. */
export function exchange(
  { method, target, headers, payload, signal }: CheckedRequest,
  connection: Duplex,
): Promise<InjectResponse> {
  return new Promise((resolve, reject) => {
    const request = send({ method, path: target, headers, createConnection: () => connection as never, signal });
    request.once('error', reject);
    request.once('response', (response) => {
      readAll(response)
        .then(resolve, reject)
        .finally(() => connection.destroy());
    });
    if (payload instanceof Readable) payload.once('error', (error) => request.destroy(error)).pipe(request);
    else request.end(payload);
  });
}

async function readAll(response: IncomingMessage): Promise<InjectResponse> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const rawPayload = Buffer.concat(chunks);
  const payload = rawPayload.toString();
  const { statusCode = 0, statusMessage = '', headers, trailers } = response;
  return {
    statusCode,
    statusMessage,
    headers,
    trailers,
    rawPayload,
    payload,
    body: payload,
    cookies: (headers['set-cookie'] ?? []).map((line) => ({ ...cookies().parseSetCookie(line) })),
    json: () => JSON.parse(payload),
  };
}

function invalid(what: string, wanted: string, value: unknown): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `\`inject()\` expects ${what} to be ${wanted}, got ${inspect(value)}.`);
}
