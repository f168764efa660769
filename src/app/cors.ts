import { inspect } from 'node:util';
import { type CorsRules, corsLines } from '../contract/cors.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { TOKEN } from '../options/field-syntax.js';
import type { Handler } from './handler.js';
import { type AppResponse, keepLines } from './response.js';

/** Which pages of other origins may call the server from a browser. */
export interface CorsOptions {
  /** Allowed origins, such as `['https://shop.example']`, or `'*'` for all. */
  origins: readonly string[] | '*';
  /** Lets requests carry cookies, and pages read the responses. `origins` must name the origins. Default false. */
  credentials?: boolean;
  /** Headers that requests may have. Default: those that the browser asks for. */
  headers?: readonly string[];
  /** Response headers that scripts may read, in addition to those that are always readable. Default: none. */
  exposedHeaders?: readonly string[];
  /** How long browsers may cache the response to a preflight, in seconds, from 0 to 86,400. Default 600. */
  maxAgeSeconds?: number;
}

const KEYS: readonly string[] = ['origins', 'credentials', 'headers', 'exposedHeaders', 'maxAgeSeconds'];
const DEFAULT_MAX_AGE_SECONDS = 600;
/** No browser caches for longer. */
const MAX_AGE_SECONDS = 86_400;

/** @throws LoopShardError OPTION_UNKNOWN, OPTION_INVALID */
export function corsRules(options: CorsOptions): CorsRules {
  if (typeof options !== 'object' || options === null) {
    throw invalid("an object such as `{ origins: ['https://shop.example'] }`", options);
  }
  checkOptionNames(options, KEYS, '`app.cors()`');
  const {
    origins,
    credentials = false,
    headers,
    exposedHeaders = [],
    maxAgeSeconds = DEFAULT_MAX_AGE_SECONDS,
  } = options;
  if (origins !== '*') checkOrigins(origins);
  if (typeof credentials !== 'boolean') throw invalid('`credentials` to be true or false', credentials);
  if (credentials && origins === '*') {
    throw new LoopShardError(
      'OPTION_INVALID',
      "`app.cors()` cannot allow `credentials` to all origins: browsers reject that. Name them: `origins: ['https://shop.example']`.",
    );
  }
  if (headers !== undefined) checkNames('headers', headers);
  checkNames('exposedHeaders', exposedHeaders);
  if (!Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 0 || maxAgeSeconds > MAX_AGE_SECONDS) {
    throw invalid('`maxAgeSeconds` to be an integer from 0 to 86,400', maxAgeSeconds);
  }
  return {
    origins: origins === '*' ? origins : [...origins],
    credentials,
    headers: headers && [...headers],
    exposedHeaders: [...exposedHeaders],
    maxAgeSeconds,
  };
}

function checkOrigins(origins: unknown): void {
  if (!Array.isArray(origins) || origins.length === 0) {
    throw invalid("`origins` to be '*' or an array such as `['https://shop.example']`", origins);
  }
  for (const origin of origins) {
    const parsed = URL.canParse(origin) ? new URL(origin).origin : undefined;
    if (origin === parsed) continue;
    // A trailing slash, as in `https://shop.example/`, is a common mistake: no browser sends it.
    const hint = parsed === undefined || parsed === 'null' ? '' : ` Did you mean '${parsed}'?`;
    throw new LoopShardError(
      'OPTION_INVALID',
      `\`app.cors()\` expects each of \`origins\` to be scheme, host and port, as browsers send them, got ${inspect(origin)}.${hint}`,
    );
  }
}

function checkNames(option: string, names: unknown): void {
  if (Array.isArray(names) && names.every((name) => typeof name === 'string' && TOKEN.test(name))) return;
  throw invalid(`\`${option}\` to be an array of header names`, names);
}

/** Wraps a handler so that its responses, including errors, have CORS headers. */
export function withCors(rules: CorsRules | undefined, handler: Handler): Handler {
  if (rules === undefined) return handler;
  const linesFor = (origin?: string) =>
    corsLines(rules, origin)
      .map((line) => `${line}\r\n`)
      .join('');
  const others = linesFor();
  const known = new Map((rules.origins === '*' ? [] : rules.origins).map((origin) => [origin, linesFor(origin)]));
  return (req, res) => {
    keepLines(res as AppResponse, known.get(req.header('origin') ?? '') ?? others);
    return handler(req, res);
  };
}

function invalid(expected: string, value: unknown): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `\`app.cors()\` expects ${expected}, got ${inspect(value)}.`);
}
