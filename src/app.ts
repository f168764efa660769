import type FindMyWay from 'find-my-way';
import { LoopShardError } from './errors.js';
import type { ErrorHandler, Handler } from './handler.js';
import { METHODS, type Method, type RouteTable } from './protocol.js';
import { createRouter } from './routing.js';

interface Route {
  methods: readonly Method[];
  pattern: string;
  handler: Handler;
}

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
  #notFound: Handler | undefined;
  #onError: ErrorHandler | undefined;

  /** Routes GET and HEAD; the body is left out for HEAD. Patterns are find-my-way's: `/users/:id`, `/files/*`. */
  get(pattern: string, handler: Handler): this {
    return this.#add(['GET', 'HEAD'], pattern, handler);
  }

  post(pattern: string, handler: Handler): this {
    return this.#add(['POST'], pattern, handler);
  }

  put(pattern: string, handler: Handler): this {
    return this.#add(['PUT'], pattern, handler);
  }

  patch(pattern: string, handler: Handler): this {
    return this.#add(['PATCH'], pattern, handler);
  }

  delete(pattern: string, handler: Handler): this {
    return this.#add(['DELETE'], pattern, handler);
  }

  /** Routes OPTIONS; without it, OPTIONS is answered with the methods that the path takes. */
  options(pattern: string, handler: Handler): this {
    return this.#add(['OPTIONS'], pattern, handler);
  }

  /** Routes every method. */
  all(pattern: string, handler: Handler): this {
    return this.#add(METHODS, pattern, handler);
  }

  /** Handles what no route matches; the status is 404 unless the handler sets another. */
  notFound(handler: Handler): this {
    this.#notFound = checkHandler(handler, 'notFound');
    return this;
  }

  /** Answers in the place of a handler that threw; the status is 500 unless it sets another. */
  onError(handler: ErrorHandler): this {
    this.#onError = checkHandler(handler, 'onError');
    return this;
  }

  #add(methods: readonly Method[], pattern: string, handler: Handler): this {
    const name = `${methods[0]} ${pattern}`;
    checkHandler(handler, name);
    try {
      this.#router.on([...methods], pattern, () => {}, this.#routes.length);
    } catch (cause) {
      throw routeError(name, cause as Error);
    }
    this.#routes.push({ methods, pattern, handler });
    return this;
  }

  /** What the HTTP thread needs to know. */
  table(): RouteTable {
    return {
      routes: this.#routes.map(({ methods, pattern }) => ({ methods: [...methods], pattern })),
      hasNotFound: this.#notFound !== undefined,
    };
  }

  /** The handler of a route by its number in the table; of a negative one, that for what no route matches. */
  handler(route: number): Handler {
    return route < 0 ? this.#notFound! : this.#routes[route].handler;
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
