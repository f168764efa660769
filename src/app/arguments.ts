/* Arguments of `app.use()` and of routes. Forms that only other frameworks accept fail with an error that says what to write instead. */
import { inspect } from 'node:util';
import { LoopShardError } from '../errors.js';
import { definitionOf } from './definition.js';
import type { Handler, Middleware } from './handler.js';

/**
 * Parses the arguments of `app.use()`. The prefix defaults to `/` and is not checked here.
 * @throws LoopShardError MIDDLEWARE_INVALID
 */
export function middlewareArguments(given: readonly unknown[]): [prefix: string, middleware: Middleware] {
  const [prefix, middleware, ...others] = given.length > 1 ? given : ['/', given[0]];
  if (others.length > 0 || typeof prefix === 'function' || given.some(Array.isArray)) {
    throw wrongMiddleware('expects one middleware function, got several. Call it once for each');
  }
  if (typeof middleware !== 'function') {
    if (definitionOf(middleware) !== undefined) {
      throw wrongMiddleware("got an app. Add its routes with `app.mount('/prefix', other)`");
    }
    throw wrongMiddleware(`expects middleware \`(req, res, next) => …\`, got ${inspect(middleware, { depth: 0 })}`);
  }
  if (isNodeApp(middleware)) {
    throw wrongMiddleware(
      "got an Express app or router, which needs the `req` and `res` of Node.js. Write its routes with `app.scope('/prefix', …)`",
    );
  }
  if (middleware.length > 3) {
    throw wrongMiddleware(
      'expects middleware `(req, res, next) => …`, got a function with four parameters. Handle errors with `app.onError()`',
    );
  }
  return [prefix as string, middleware as Middleware];
}

/**
 * Parses the arguments of a route that follow its pattern.
 * @param name such as `GET /users`
 * @throws LoopShardError ROUTE_INVALID
 */
export function routeArguments(name: string, given: readonly unknown[]): [options: unknown, handler: Handler] {
  const handlers = given.filter((one) => typeof one === 'function');
  if (handlers.length > 1 || given.length > 2 || given.some(Array.isArray)) {
    throw new LoopShardError(
      'ROUTE_INVALID',
      `Route \`${name}\` expects one handler, got several. Add the others with \`app.use()\`.`,
    );
  }
  const [options, handler] = given.length > 1 ? given : [{}, given[0]];
  if (typeof handler !== 'function') throw notAFunction(`Route \`${name}\``, 'a handler', handler);
  return [options, handler as Handler];
}

/** @param caller such as `app.onError()` or ``Route `GET /users` `` */
export function notAFunction(caller: string, expected: string, value: unknown): LoopShardError {
  const subject = caller.startsWith('app.') ? `\`${caller}\`` : caller;
  return new LoopShardError('ROUTE_INVALID', `${subject} expects ${expected}, got ${inspect(value, { depth: 0 })}.`);
}

/** @param rest the rest of the sentence */
function wrongMiddleware(rest: string): LoopShardError {
  return new LoopShardError('MIDDLEWARE_INVALID', `\`app.use()\` ${rest}.`);
}

/** Apps and routers of Express, Connect and similar frameworks are functions with methods. */
function isNodeApp(middleware: object): boolean {
  return ['handle', 'use'].every((name) => typeof (middleware as Record<string, unknown>)[name] === 'function');
}
