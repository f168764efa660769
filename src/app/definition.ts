import type { CorsRules } from '../contract/cors.js';
import type { FixedBody, RefusalTemplate, RouteTable } from '../contract/messages.js';
import { routeName } from '../contract/route-permits.js';
import { HttpError, LoopShardError } from '../errors.js';
import type { CompressRules } from '../options/compression.js';
import { type AnyMethod, METHODS } from '../options/methods.js';
import type { RouteScheduling } from '../options/scheduling.js';
import { withCors } from './cors.js';
import type { ContextEntry, ErrorHandler, Handler, LifecycleListener, Params, RouteOptions } from './handler.js';
import { duplicateCheck, type HealthCheckDefinition } from './health.js';
import { compose, type MiddlewareEntry, pathTest } from './middleware.js';
import { createRouter } from './routing.js';
import type { ResponseSchemas } from './schemas.js';

/** Arguments of `app.onError`. */
export interface ErrorRule {
  handler: ErrorHandler;
  /** Keep headers that were set before the error. */
  keepHeaders: boolean;
}

/** A part of an app below one prefix, with settings that its routes share. */
export interface Scope {
  /** Empty, or `/a/b`. */
  readonly prefix: string;
  /** The surrounding scope. */
  readonly parent: Scope | undefined;
  readonly defaults: RouteOptions;
  /** Its own middleware, in the order added. */
  readonly middleware: MiddlewareEntry[];
  errorRule: ErrorRule | undefined;
}

/** How requests of a route are scheduled, read and compressed. */
export interface RouteRules {
  scheduling: RouteScheduling;
  /** Overrides the server's option. */
  compress: { rules: CompressRules | undefined } | undefined;
  /** How its request bodies are read. With `isAuto`, small ones of known length are read whole, others as streams. */
  body: { isStreamed: boolean; isAuto?: true; maxBytes: number | undefined };
}

/** Rules of a route that has no options. */
export const NO_RULES: RouteRules = {
  scheduling: {},
  compress: undefined,
  body: { isStreamed: false, maxBytes: undefined },
};

/** A route as it was added. */
export interface RouteDefinition extends RouteRules {
  methods: readonly AnyMethod[];
  pattern: string;
  /** The user's handler, wrapped in request validation. */
  handler: Handler;
  schemas: ResponseSchemas | undefined;
  /** A body that is sent without calling a handler. */
  fixed: FixedBody | undefined;
  /** The handler returns a RawReply. */
  isRaw?: true;
  /** It gets every target below the pattern, even one that is not a valid URL. */
  takesAnyTarget?: true;
  /** It gets only requests that offer one of these protocols, in lower case. */
  upgrades?: readonly string[];
  middleware: readonly MiddlewareEntry[];
  /** Innermost first. */
  scopes: readonly Scope[];
}

/** A route as a shard runs it. */
export interface Route extends RouteDefinition {
  /** Innermost first. */
  errorRules: readonly ErrorRule[];
  /** Its handler is an app of another framework, which has routes of its own below the pattern. */
  hasOwnRoutes: boolean;
}

/** The complete app, built once its module is loaded. */
interface Loaded {
  routes: Route[];
  /** Innermost first. */
  notFounds: { isFor: (path: string) => boolean; route: Route }[];
  /** Used where no scope has a `notFound` handler. */
  notFound: Route;
}

/** Where an app is mounted. */
export interface MountPoint {
  prefix: string;
  /** The surrounding scopes, innermost first. */
  scopes: readonly Scope[];
  /** Runs around the middleware of the mounted app. */
  middleware: readonly MiddlewareEntry[];
  /** Default rules of its routes, from the surrounding scope. */
  rules(name: string, pattern: string): RouteRules;
}

/** A handler for requests that no route matches. */
interface NotFound {
  prefix: string;
  handler: Handler;
  middleware: readonly MiddlewareEntry[];
  scopes: readonly Scope[];
}

/** Key of an app's definition. A global symbol, because shards and the user's module may load different copies of this module. */
export const DEFINITION = Symbol.for('loopshard.app');

/**
 * Key of a method of handlers that depend on where they are mounted. A global symbol, because adapters may come from another copy of this
 * module.
 */
export const AT_PATTERN = Symbol.for('loopshard.atPattern');

/** A handler, and the one to use if the complete pattern of its route is another one. */
export type PatternHandler = Handler & { [AT_PATTERN]?: (pattern: string) => Handler };

/** Routes, scopes and listeners of an app. What shards and the HTTP thread need is derived from it once, when it is loaded. */
export class AppDefinition {
  readonly #routes: RouteDefinition[] = [];
  readonly #notFounds: NotFound[] = [];
  readonly #refusals: RefusalTemplate[] = [];
  readonly #router = createRouter();
  /** Of the routes that get only requests that offer another protocol. */
  readonly #upgrades = createRouter();
  readonly #mounted = new Set<AppDefinition>();
  readonly onStart: LifecycleListener[] = [];
  readonly onClose: LifecycleListener[] = [];
  readonly #healthChecks: HealthCheckDefinition[] = [];
  contextEntry: ContextEntry | undefined;
  /** It has an app of another framework. */
  isForeign = false;
  cors: CorsRules | undefined;
  /** Set once the app was mounted into another app or loaded by a shard: additions would have no effect from then on. */
  sealedBy: 'mount' | 'load' | undefined;
  #loaded: Loaded | undefined;

  /**
   * @param name name of the route, for errors
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  add(name: string, route: RouteDefinition): void {
    this.checkOpen();
    try {
      const router = route.upgrades === undefined ? this.#router : this.#upgrades;
      router.on([...route.methods], route.pattern, () => {}, this.#routes.length);
    } catch (cause) {
      throw routeError(name, cause as Error);
    }
    this.#routes.push(route);
  }

  addNotFound(notFound: NotFound): void {
    this.checkOpen();
    const others = this.#notFounds.findIndex(({ prefix }) => prefix === notFound.prefix);
    if (others >= 0) this.#notFounds.splice(others, 1);
    this.#notFounds.push(notFound);
  }

  addRefusals(template: RefusalTemplate): void {
    this.checkOpen();
    this.#refusals.push(template);
  }

  /** @throws LoopShardError OPTION_INVALID, ROUTE_INVALID */
  addHealthCheck(check: HealthCheckDefinition): void {
    this.checkOpen();
    if (this.#healthChecks.some(({ name }) => name === check.name)) throw duplicateCheck(check.name);
    this.#healthChecks.push(check);
  }

  get healthChecks(): readonly HealthCheckDefinition[] {
    return this.#healthChecks;
  }

  /** @throws LoopShardError ROUTE_INVALID */
  checkOpen(): void {
    if (this.sealedBy === undefined) return;
    throw new LoopShardError(
      'ROUTE_INVALID',
      this.sealedBy === 'mount'
        ? 'Cannot change an app that was mounted. Call `app.mount()` after its routes are defined.'
        : 'Cannot change an app once its module is loaded. Define its routes while the module is evaluated.',
    );
  }

  /** Adds everything that another app defines. */
  take(other: AppDefinition, { prefix, scopes, middleware, rules }: MountPoint): void {
    this.checkOpen();
    if (other === this) throw new LoopShardError('ROUTE_INVALID', 'Cannot mount an app into itself.');
    const inner = (entries: readonly MiddlewareEntry[]) => [
      ...middleware,
      ...entries.map((entry) => ({ ...entry, prefix: join(prefix, entry.prefix) })),
    ];
    for (const route of other.#routes) {
      const pattern = join(prefix, route.pattern);
      const name = routeName({ ...route, pattern });
      this.add(name, {
        ...route,
        ...(route.fixed === undefined && within(rules(name, pattern), route)),
        pattern,
        middleware: inner(route.middleware),
        scopes: [...route.scopes, ...scopes],
      });
    }
    for (const notFound of other.#notFounds) {
      this.addNotFound({
        ...notFound,
        prefix: join(prefix, notFound.prefix),
        middleware: inner(notFound.middleware),
        scopes: [...notFound.scopes, ...scopes],
      });
    }
    other.sealedBy = 'mount';
    if (this.#mounted.has(other)) return;
    this.#mounted.add(other);
    for (const template of other.#refusals) this.#refusals.push(template);
    for (const check of other.#healthChecks) this.addHealthCheck(check);
    this.onStart.push(...other.onStart);
    this.onClose.push(...other.onClose);
    this.isForeign ||= other.isForeign;
    this.contextEntry ??= other.contextEntry;
    this.cors ??= other.cors;
  }

  // ── after loading ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Builds the route table for the HTTP thread. */
  table(): RouteTable {
    const { routes, notFounds } = this.#load();
    return {
      routes: routes.map(({ methods, pattern, scheduling, fixed, body, isRaw, takesAnyTarget, upgrades }) => ({
        methods: [...methods],
        pattern,
        scheduling,
        ...(fixed && { fixed }),
        ...(body.isStreamed && { isStreamed: true }),
        ...(body.isAuto && { isAuto: true }),
        ...(isRaw && { isRaw }),
        ...(takesAnyTarget && { takesAnyTarget }),
        ...(upgrades && { upgrades: [...upgrades] }),
        ...(body.maxBytes !== undefined && { maxBodyBytes: body.maxBytes }),
      })),
      hasNotFound: notFounds.length > 0,
      refusals: this.#refusals,
      ...(this.cors && { cors: this.cors }),
    };
  }

  /** Returns a route by its number in the table. */
  route(number: number): Route {
    return this.#load().routes[number];
  }

  /** Returns the not-found handler of the innermost scope that contains the path and has one. */
  notFound(path: string): Route {
    const { notFounds, notFound } = this.#load();
    return notFounds.find(({ isFor }) => isFor(path))?.route ?? notFound;
  }

  /**
   * Returns the parameters of a path that the HTTP thread has routed.
   * @param offersUpgrade the request offers another protocol
   */
  params(method: AnyMethod, path: string, offersUpgrade: boolean): Params {
    const upgrade = offersUpgrade ? this.#upgrades.find(method, path) : null;
    return (upgrade ?? this.#router.find(method, path))?.params ?? {};
  }

  #load(): Loaded {
    if (this.#loaded === undefined) {
      this.sealedBy = 'load';
      const innermostFirst = [...this.#notFounds].sort((one, other) => other.prefix.length - one.prefix.length);
      this.#loaded = {
        routes: this.#routes.map((route) => ({
          ...route,
          handler: withCors(this.cors, compose(route.middleware, route.pattern, handlerOf(route))),
          errorRules: errorRules(route.scopes),
          hasOwnRoutes: AT_PATTERN in route.handler,
        })),
        notFounds: innermostFirst.map(({ prefix, handler, middleware, scopes }) => ({
          isFor: pathTest(prefix),
          route: {
            ...NOT_FOUND,
            handler: withCors(this.cors, compose(middleware, undefined, handler)),
            errorRules: errorRules(scopes),
          },
        })),
        notFound: { ...NOT_FOUND, handler: withCors(this.cors, NOT_FOUND.handler) },
      };
    }
    return this.#loaded;
  }
}

/** The default for apps without `notFound`: the same response that the HTTP thread sends. */
const NOT_FOUND: Route = {
  ...NO_RULES,
  methods: METHODS,
  pattern: '',
  handler: () => {
    throw new HttpError(404, 'No route matches this path.');
  },
  schemas: undefined,
  fixed: undefined,
  middleware: [],
  scopes: [],
  errorRules: [],
  hasOwnRoutes: false,
};

function handlerOf({ handler, pattern }: RouteDefinition): Handler {
  return (handler as PatternHandler)[AT_PATTERN]?.(pattern) ?? handler;
}

function errorRules(scopes: readonly Scope[]): ErrorRule[] {
  return scopes.map(({ errorRule }) => errorRule).filter((rule) => rule !== undefined);
}

/** Puts a prefix in front of a pattern. The pattern `/` stands for the prefix itself. */
export function join(prefix: string, pattern: string): string {
  if (prefix === '') return pattern;
  if (pattern === '*') return `${prefix}/*`;
  return pattern === '/' || pattern === '' ? prefix : prefix + pattern;
}

/** Merges the rules of a route with those of its scope; the route's own take precedence. */
function within(outer: RouteRules, { scheduling, compress, body }: RouteRules): RouteRules {
  return {
    scheduling: { ...outer.scheduling, ...scheduling },
    compress: compress ?? outer.compress,
    body: { ...body, maxBytes: body.maxBytes ?? outer.body.maxBytes },
  };
}

function routeError(name: string, cause: Error): LoopShardError {
  if (cause.message.includes('already declared')) {
    return new LoopShardError(
      'ROUTE_DUPLICATE',
      `Route \`${name}\` was already added. Each method of a path can have one handler.`,
      { cause },
    );
  }
  return new LoopShardError('ROUTE_INVALID', `Invalid route \`${name}\`: ${cause.message}.`, { cause });
}

/** Returns the definition of an app, or `undefined` if the value is not an app. */
export function definitionOf(value: unknown): AppDefinition | undefined {
  // With `in`, because some foreign apps are proxies that return something for every property.
  if (typeof value !== 'object' || value === null || !(DEFINITION in value)) return undefined;
  return (value as { [DEFINITION]: AppDefinition })[DEFINITION];
}
