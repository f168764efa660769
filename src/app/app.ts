import type FindMyWay from 'find-my-way';
import type { FixedBody, RouteTable } from '../contract/messages.js';
import { LoopShardError } from '../errors.js';
import { type CompiledWriter, compileWriter } from '../json/compile.js';
import type { Infer } from '../json/schema.js';
import { checkRouteScheduling, Subject } from '../options/checks.js';
import { type CompressRules, checkCompress } from '../options/compression.js';
import { METHODS, type Method } from '../options/methods.js';
import { checkRequestBody, REQUEST_BODY_OPTIONS } from '../options/request-body.js';
import { ROUTE_SCHEDULING, type RouteScheduling } from '../options/scheduling.js';
import { type FixedOptions, fixedBody } from './fixed-body.js';
import type { ContextEntry, ErrorHandler, Handler, RouteOptions } from './handler.js';
import { createRouter } from './routing.js';

/** A route as a shard knows it. */
export interface Route {
  methods: readonly Method[];
  pattern: string;
  handler: Handler;
  /** Writes what the handler returns, if the route has a response schema. */
  writer: CompiledWriter | undefined;
  scheduling: RouteScheduling;
  /** In place of the server's. */
  compress: { rules: CompressRules | undefined } | undefined;
  /** What is sent without a handler. */
  fixed: FixedBody | undefined;
  /** Its request bodies are read as streams. */
  streamed?: { limitBytes: number } | undefined;
}

const NO_METHODS: readonly Method[] = [];

/** Marks apps across copies of this module: the one the user imported and the one the shard imported. */
const APP = Symbol.for('loopshard.app');

/**
 * Routes and their handlers. Every shard makes its own by importing the user's module; the HTTP thread learns the routes,
 * never the handlers.
 */
export class App {
  readonly [APP] = true;
  readonly #routes: Route[] = [];
  readonly #router: FindMyWay.Instance<FindMyWay.HTTPVersion.V1> = createRouter();
  #notFound: Route | undefined;
  #onError: ErrorHandler | undefined;
  #contextEntry: ContextEntry | undefined;

  /** Routes GET and HEAD; the body is left out for HEAD. Patterns are find-my-way's: `/users/:id`, `/files/*`. */
  get<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  get(pattern: string, handler: Handler): this;
  get(pattern: string, ...rest: RouteArguments): this {
    return this.#add(['GET', 'HEAD'], pattern, rest);
  }

  post<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  post(pattern: string, handler: Handler): this;
  post(pattern: string, ...rest: RouteArguments): this {
    return this.#add(['POST'], pattern, rest);
  }

  put<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  put(pattern: string, handler: Handler): this;
  put(pattern: string, ...rest: RouteArguments): this {
    return this.#add(['PUT'], pattern, rest);
  }

  patch<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  patch(pattern: string, handler: Handler): this;
  patch(pattern: string, ...rest: RouteArguments): this {
    return this.#add(['PATCH'], pattern, rest);
  }

  delete<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  delete(pattern: string, handler: Handler): this;
  delete(pattern: string, ...rest: RouteArguments): this {
    return this.#add(['DELETE'], pattern, rest);
  }

  /** Routes OPTIONS; without it, OPTIONS is answered with the methods that the path takes. */
  options<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  options(pattern: string, handler: Handler): this;
  options(pattern: string, ...rest: RouteArguments): this {
    return this.#add(['OPTIONS'], pattern, rest);
  }

  /** Routes every method. */
  all<const S>(pattern: string, options: RouteOptions<S>, handler: Handler<Infer<S>>): this;
  all(pattern: string, handler: Handler): this;
  all(pattern: string, ...rest: RouteArguments): this {
    return this.#add(METHODS, pattern, rest);
  }

  /**
   * Routes GET and HEAD to what is always the same: rendered once, and answered by the HTTP thread without a shard, even
   * while all of them are busy. It has a strong entity tag, and who has it gets 304 (RFC 9110 section 13.1.2).
   * @param path without parameters
   * @param body bytes as they are, text as UTF-8, any other value as JSON
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  static(path: string, body: unknown, options: FixedOptions = {}): this {
    const name = `static ${path}`;
    if (/[:*]/.test(path)) {
      throw new LoopShardError(
        'ROUTE_INVALID',
        `The path of ${name} has a parameter; a static answer depends on nothing.`,
      );
    }
    return this.#push(name, {
      methods: ['GET', 'HEAD'],
      pattern: path,
      handler: notCalled,
      writer: undefined,
      scheduling: {},
      compress: undefined,
      fixed: fixedBody(name, body, options),
    });
  }

  /** Handles what no route matches; the status is 404 unless the handler sets another. */
  notFound(handler: Handler): this {
    checkHandler(handler, 'notFound');
    this.#notFound = {
      methods: NO_METHODS,
      pattern: '',
      handler,
      writer: undefined,
      scheduling: {},
      compress: undefined,
      fixed: undefined,
    };
    return this;
  }

  /** Answers in the place of a handler that threw; the status is 500 unless it sets another. */
  onError(handler: ErrorHandler): this {
    this.#onError = checkHandler(handler, 'onError');
    return this;
  }

  /**
   * Has all code of a request run in an async context that `enter` enters: handlers, streams, listeners of `req.signal`. For what
   * keeps something for each request, such as `Sentry.withIsolationScope` (docs/context.md).
   * @param enter called first for each request. It must call `run` before it returns.
   */
  context(enter: ContextEntry): this {
    this.#contextEntry = checkHandler(enter, 'context');
    return this;
  }

  #add(methods: readonly Method[], pattern: string, rest: RouteArguments): this {
    const name = `${methods[0]} ${pattern}`;
    const [options, handler] = rest.length > 1 ? (rest as [RouteOptions, Handler]) : [{}, rest[0] as Handler];
    checkHandler(handler, name);
    const writer = compileResponse(options, name);
    const subject = new Subject('ROUTE_INVALID', ` of \`${name}\``);
    const scheduling = checkRouteScheduling(options, pattern, subject);
    const compress = compressRules(options, subject);
    const streamed = checkRequestBody(options, subject);
    return this.#push(name, { methods, pattern, handler, writer, scheduling, compress, fixed: undefined, streamed });
  }

  #push(name: string, route: Route): this {
    try {
      this.#router.on([...route.methods], route.pattern, () => {}, this.#routes.length);
    } catch (cause) {
      throw routeError(name, cause as Error);
    }
    this.#routes.push(route);
    return this;
  }

  /** What the HTTP thread needs to know. */
  table(): RouteTable {
    return {
      routes: this.#routes.map(({ methods, pattern, scheduling, fixed, streamed }) => ({
        methods: [...methods],
        pattern,
        scheduling,
        ...(fixed && { fixed }),
        ...(streamed && { streamed }),
      })),
      hasNotFound: this.#notFound !== undefined,
    };
  }

  /** A route by its number in the table; for a negative one, what is done when no route matches. */
  route(number: number): Route {
    return number < 0 ? this.#notFound! : this.#routes[number];
  }

  get contextEntry(): ContextEntry | undefined {
    return this.#contextEntry;
  }

  get errorHandler(): ErrorHandler | undefined {
    return this.#onError;
  }

  /** The parameters of a path that the HTTP thread has routed. */
  params(method: Method, path: string): Readonly<Record<string, string | undefined>> {
    return this.#router.find(method, path)?.params ?? {};
  }
}

/** A new, empty app. The module that `serve` is given exports one by default. */
export function createApp(): App {
  return new App();
}

export function isApp(value: unknown): value is App {
  return typeof value === 'object' && value !== null && APP in value;
}

/** A handler, or options and a handler. */
type RouteArguments = unknown[];

const ROUTE_OPTIONS: readonly string[] = ['response', 'compress', ...REQUEST_BODY_OPTIONS, ...ROUTE_SCHEDULING];

/** The handler of a route that the HTTP thread answers. */
function notCalled(): never {
  throw new LoopShardError('ROUTE_INVALID', 'A static answer has come to a shard.');
}

function compileResponse(options: RouteOptions, name: string): CompiledWriter | undefined {
  if (typeof options !== 'object' || options === null) {
    throw new LoopShardError('ROUTE_INVALID', `The options of ${name} are a ${typeof options}; pass an object.`);
  }
  const unknown = Object.keys(options).find((key) => !ROUTE_OPTIONS.includes(key));
  if (unknown !== undefined) {
    throw new LoopShardError(
      'ROUTE_INVALID',
      `The route ${name} has an option ${unknown}, which there is not; the options are ${ROUTE_OPTIONS.join(', ')}.`,
    );
  }
  if (options.response === undefined) return undefined;
  try {
    return compileWriter(options.response);
  } catch (cause) {
    const code = cause instanceof LoopShardError ? cause.code : 'SCHEMA_INVALID';
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new LoopShardError(code, `The response schema of ${name}: ${message}`, { cause });
  }
}

function compressRules({ compress }: RouteOptions, subject: Subject): Route['compress'] {
  return compress === undefined ? undefined : { rules: checkCompress(compress, subject) };
}

function checkHandler<T>(handler: T, name: string): T {
  if (typeof handler === 'function') return handler;
  throw new LoopShardError('ROUTE_INVALID', `The handler of ${name} is a ${typeof handler}; pass a function.`);
}

function routeError(name: string, cause: Error): LoopShardError {
  if (cause.message.includes('already declared')) {
    return new LoopShardError(
      'ROUTE_DUPLICATE',
      `The route ${name} collides with one that was added before; each method of a path can have one handler.`,
      { cause },
    );
  }
  return new LoopShardError('ROUTE_INVALID', `The route ${name} is not valid: ${cause.message}.`, { cause });
}
