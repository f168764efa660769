import { isThenable } from '../core/thenable.js';
import { LoopShardError } from '../errors.js';
import type { Handler, Middleware, ShardRequest, ShardResponse } from './handler.js';
import { type AppResponse, isUntouched } from './response.js';
import { createRouter } from './routing.js';

/** Middleware for the paths at and below `prefix`, a find-my-way pattern. */
export interface MiddlewareEntry {
  prefix: string;
  middleware: Middleware;
}

/** Whether a request's path lies at or below a prefix. */
type PathTest = (path: string) => boolean;

/** A segment without parameters or wildcards. */
const LITERAL = /^[^:*]*$/;
/** A parameter that matches any segment. */
const PLAIN_PARAMETER = /^:[^:*(?.-]+$/;

/**
 * Wraps middleware around a handler. Done once per route, so that a route without middleware costs nothing.
 * @param pattern pattern of the route; `undefined` for a `notFound` handler
 */
export function compose(entries: readonly MiddlewareEntry[], pattern: string | undefined, handler: Handler): Handler {
  let composed = handler;
  for (const { prefix, middleware } of [...entries].reverse()) {
    const covers = pattern === undefined ? pathTest(prefix) : coverage(prefix, pattern);
    if (covers === false) continue;
    composed = wrap(middleware, composed, covers === true ? undefined : covers);
  }
  return composed;
}

/**
 * Tells whether all paths that a pattern matches lie at or below a prefix (true), or none (false). If that depends on the path,
 * returns a test for it.
 */
function coverage(prefix: string, pattern: string): boolean | PathTest {
  const wanted = segmentsOf(prefix);
  // A regular expression may contain slashes.
  if (wanted.length > 0 && (pattern === '*' || pattern.includes('('))) return pathTest(prefix);
  const given = pattern.split('/').slice(1);
  for (const [i, segment] of wanted.entries()) {
    const other = given[i];
    if (other === undefined) return false;
    if (segment === other && LITERAL.test(segment)) continue;
    if (PLAIN_PARAMETER.test(segment) && !other.includes('*') && !other.endsWith('?')) continue;
    if (LITERAL.test(segment) && LITERAL.test(other)) return false;
    return pathTest(prefix);
  }
  return true;
}

/** Creates a test whether a path lies at or below the prefix. It uses the same router as routes do, so that both decode paths alike. */
export function pathTest(prefix: string): PathTest {
  const bare = `/${segmentsOf(prefix).join('/')}`;
  if (bare === '/') return () => true;
  const router = createRouter();
  router.on('GET', bare, () => {});
  router.on('GET', `${bare}/*`, () => {});
  return (path) => router.find('GET', path) !== null;
}

/** Splits a prefix. `/a/b`, `/a/b/` and `/a/b/*` give the same segments. */
function segmentsOf(prefix: string): string[] {
  const segments = prefix.split('/').slice(1);
  while (segments.at(-1) === '' || segments.at(-1) === '*') segments.pop();
  return segments;
}

function wrap(middleware: Middleware, inner: Handler, covers: PathTest | undefined): Handler {
  return (req, res) => {
    if (covers !== undefined && !covers(req.path)) return inner(req, res);
    let outcome: Promise<unknown> | undefined;
    let hasSettled = false;
    const next = (...given: unknown[]) => {
      if (given.length > 0) throw misused('with an argument. Throw errors, and call `next()` without arguments');
      if (outcome !== undefined) throw misused('more than once for the same request');
      if (hasSettled)
        throw misused('after it had settled. Return a promise that settles later, or use `async` and `await`');
      outcome = run(inner, req, res);
      // Middleware may respond without awaiting `next()`. A later failure of the handler must not be an unhandled rejection.
      outcome.catch(() => {});
      return outcome;
    };
    const settle = (value: unknown) => {
      hasSettled = true;
      if (value !== undefined) return value;
      // Middleware that returns nothing keeps the response of the inner handler.
      if (outcome === undefined && isUntouched(res as AppResponse)) throw neitherNextNorResponse();
      return outcome;
    };
    const result = middleware(req, res, next);
    return isThenable(result) ? Promise.resolve(result).then(settle) : settle(result);
  };
}

/** Turns a synchronous throw into a rejection, because middleware may or may not await `next()`. */
async function run(handler: Handler, req: ShardRequest, res: ShardResponse): Promise<unknown> {
  return handler(req, res);
}

/** @param when the rest of the sentence */
function misused(when: string): LoopShardError {
  return new LoopShardError('MIDDLEWARE_INVALID', `Middleware called \`next()\` ${when}.`);
}

function neitherNextNorResponse(): LoopShardError {
  return new LoopShardError(
    'MIDDLEWARE_INVALID',
    'Middleware neither called `next()` nor responded. `return next()` to continue, return a body, or set a status with `res.status()`.',
  );
}
