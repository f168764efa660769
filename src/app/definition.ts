import type FindMyWay from 'find-my-way';
import type { CorsRules } from '../contract/cors.js';
import type { FixedBody, RefusalTemplate, RouteTable } from '../contract/messages.js';
import { HttpError, LoopShardError } from '../errors.js';
import type { CompressRules } from '../options/compression.js';
import { METHODS, type Method } from '../options/methods.js';
import type { RouteScheduling } from '../options/scheduling.js';
import { withCors } from './cors.js';
import type { ContextEntry, ErrorHandler, Handler, LifecycleListener, Params, RouteOptions } from './handler.js';
import { compose, type MiddlewareEntry, pathTest } from './middleware.js';
import { createRouter } from './routing.js';
import type { ResponseSchemas } from './schemas.js';

/** What `app.onError` was given. */
export interface ErrorRule {
  handler: ErrorHandler;
  /** The header fields that were set before the error stay. */
  keepHeaders: boolean;
}

/** A part of an app below one prefix: what its routes have in common. */
export interface Scope {
  /** Empty, or `/a/b`. */
  readonly prefix: string;
  /** That it lies in. */
  readonly parent: Scope | undefined;
  readonly defaults: RouteOptions;
  /** Of itself, in order. */
  readonly middleware: MiddlewareEntry[];
  errorRule: ErrorRule | undefined;
}

/** How a route is run. */
export interface RouteRules {
  scheduling: RouteScheduling;
  /** In place of the server's. */
  compress: { rules: CompressRules | undefined } | undefined;
  /** How its request bodies are taken. */
  body: { isStreamed: boolean; maxBytes: number | undefined };
}

/** What is known of a route when it is added. */
export interface RouteDefinition extends RouteRules {
  methods: readonly Method[];
  pattern: string;
  /** Of the user, behind the checks of its request. */
  handler: Handler;
  schemas: ResponseSchemas | undefined;
  /** What is sent without a handler. */
  fixed: FixedBody | undefined;
  middleware: readonly MiddlewareEntry[];
  /** Innermost first. */
  scopes: readonly Scope[];
}

/** A route as a shard runs it. */
export interface Route extends RouteDefinition {
  /** Innermost first. */
  errorRules: readonly ErrorRule[];
}

/** What the app is once its module is loaded: nothing is added any more. */
interface Loaded {
  routes: Route[];
  /** Innermost first. */
  notFounds: { isFor: (path: string) => boolean; route: Route }[];
  /** Where no scope says anything. */
  notFound: Route;
}

/** Where an app is mounted. */
export interface MountPoint {
  prefix: string;
  /** That it lies in, innermost first. */
  scopes: readonly Scope[];
  /** Goes around its own. */
  middleware: readonly MiddlewareEntry[];
  /** What the scope around it says of its routes, unless they do. */
  rules(name: string, pattern: string): RouteRules;
}

/** What is done where no route matches. */
interface NotFound {
  prefix: string;
  handler: Handler;
  middleware: readonly MiddlewareEntry[];
  scopes: readonly Scope[];
}

/** By which shards find what an app defines, though their copy of this module may be another one than the user's. */
export const DEFINITION = Symbol.for('loopshard.app');

/** The routes of an app and what goes with them. What handlers and the HTTP thread need is made of it once, when it is loaded. */
export class AppDefinition {
  readonly #routes: RouteDefinition[] = [];
  readonly #notFounds: NotFound[] = [];
  readonly #refusals: RefusalTemplate[] = [];
  readonly #router: FindMyWay.Instance<FindMyWay.HTTPVersion.V1> = createRouter();
  readonly #mounted = new Set<AppDefinition>();
  readonly onStart: LifecycleListener[] = [];
  readonly onClose: LifecycleListener[] = [];
  contextEntry: ContextEntry | undefined;
  cors: CorsRules | undefined;
  /** It was mounted into another app, or loaded by a shard: what is added now would have no effect. */
  sealedBy: 'mount' | 'load' | undefined;
  #loaded: Loaded | undefined;

  /**
   * @param name of the route, for errors
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  add(name: string, route: RouteDefinition): void {
    this.checkOpen();
    try {
      this.#router.on([...route.methods], route.pattern, () => {}, this.#routes.length);
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

  /** Takes over everything of another app. */
  take(other: AppDefinition, { prefix, scopes, middleware, rules }: MountPoint): void {
    this.checkOpen();
    if (other === this) throw new LoopShardError('ROUTE_INVALID', 'Cannot mount an app into itself.');
    const inner = (entries: readonly MiddlewareEntry[]) => [
      ...middleware,
      ...entries.map((entry) => ({ ...entry, prefix: join(prefix, entry.prefix) })),
    ];
    for (const route of other.#routes) {
      const pattern = join(prefix, route.pattern);
      const name = `${route.methods[0]} ${pattern}`;
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
    this.onStart.push(...other.onStart);
    this.onClose.push(...other.onClose);
    this.contextEntry ??= other.contextEntry;
    this.cors ??= other.cors;
  }

  // ── once it is loaded ───────────────────────────────────────────────────────────────────────────────────────────

  /** What the HTTP thread needs to know. */
  table(): RouteTable {
    const { routes, notFounds } = this.#load();
    return {
      routes: routes.map(({ methods, pattern, scheduling, fixed, body }) => ({
        methods: [...methods],
        pattern,
        scheduling,
        ...(fixed && { fixed }),
        ...(body.isStreamed && { isStreamed: true }),
        ...(body.maxBytes !== undefined && { maxBodyBytes: body.maxBytes }),
      })),
      hasNotFound: notFounds.length > 0,
      refusals: this.#refusals,
      ...(this.cors && { cors: this.cors }),
    };
  }

  /** A route by its number in the table. */
  route(number: number): Route {
    return this.#load().routes[number];
  }

  /** What is done where no route matches: of the innermost scope that the path lies in, and that says so. */
  notFound(path: string): Route {
    const { notFounds, notFound } = this.#load();
    return notFounds.find(({ isFor }) => isFor(path))?.route ?? notFound;
  }

  /** The parameters of a path that the HTTP thread has routed. */
  params(method: Method, path: string): Params {
    return this.#router.find(method, path)?.params ?? {};
  }

  #load(): Loaded {
    if (this.#loaded === undefined) {
      this.sealedBy = 'load';
      const innermostFirst = [...this.#notFounds].sort((one, other) => other.prefix.length - one.prefix.length);
      this.#loaded = {
        routes: this.#routes.map((route) => ({
          ...route,
          handler: withCors(this.cors, compose(route.middleware, route.pattern, route.handler)),
          errorRules: errorRules(route.scopes),
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

/** Where the app says nothing: as the HTTP thread answers. */
const NOT_FOUND: Route = {
  methods: METHODS,
  pattern: '',
  handler: () => {
    throw new HttpError(404, 'There is no such path.');
  },
  schemas: undefined,
  scheduling: {},
  compress: undefined,
  fixed: undefined,
  body: { isStreamed: false, maxBytes: undefined },
  middleware: [],
  scopes: [],
  errorRules: [],
};

function errorRules(scopes: readonly Scope[]): ErrorRule[] {
  return scopes.map(({ errorRule }) => errorRule).filter((rule) => rule !== undefined);
}

/** A pattern below a prefix: `/` is the prefix itself. */
export function join(prefix: string, pattern: string): string {
  if (prefix === '') return pattern;
  if (pattern === '*') return `${prefix}/*`;
  return pattern === '/' || pattern === '' ? prefix : prefix + pattern;
}

/** The rules of a route in a scope that has rules too. */
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

/** What an app defines; nothing for what is no app. */
export function definitionOf(value: unknown): AppDefinition | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as { [DEFINITION]?: AppDefinition })[DEFINITION];
}
