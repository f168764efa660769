import { inspect } from 'node:util';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { checkRouteScheduling, Subject } from '../options/checks.js';
import { checkCompress } from '../options/compression.js';
import { ALL_METHODS, type AnyMethod, METHODS } from '../options/methods.js';
import { checkProtocols, type UpgradeOptions } from '../options/protocols.js';
import { checkMaxBody } from '../options/request-body.js';
import { ROUTE_SCHEDULING, type RouteScheduling } from '../options/scheduling.js';
import { middlewareArguments, notAFunction, routeArguments } from './arguments.js';
import { type CorsOptions, corsRules } from './cors.js';
import {
  AppDefinition,
  DEFINITION,
  definitionOf,
  join,
  NO_RULES,
  type RouteDefinition,
  type RouteRules,
  type Scope,
} from './definition.js';
import { type FilesOptions, fileHandler } from './files.js';
import { type FixedOptions, fixedBody } from './fixed-body.js';
import type {
  ContextEntry,
  ErrorHandler,
  Handler,
  LifecycleListener,
  Middleware,
  RequestOf,
  ResponseOf,
  RouteOptions,
  ShardRequest,
} from './handler.js';
import { type HealthCheck, type HealthCheckOptions, healthArguments } from './health.js';
import type { MiddlewareEntry } from './middleware.js';
import type { ParamsOf } from './pattern-types.js';
import { type RefusalOptions, refusalTemplate } from './refusals.js';
import { compileResponse } from './schemas.js';
import { takingOver, type UpgradeHandler } from './upgrades/upgrade-handler.js';
import { PARTS, validated } from './validation.js';

/**
 * Routes requests that match a find-my-way pattern, such as `/users/:id` or `/files/*`, to a handler.
 * `Prefix` is the prefix of the scope. Handlers also get its parameters.
 */
export interface AddRoute<Prefix extends string = ''> {
  /** @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE, SCHEMA_INVALID */
  <const P extends string, const O extends RouteOptions>(
    pattern: P,
    options: O,
    handler: Handler<ShardRequest<RequestOf<`${Prefix}${P}`, O>>, ResponseOf<O>>,
  ): App<Prefix>;
  /** @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE */
  <const P extends string>(pattern: P, handler: Handler<ShardRequest<RequestOf<`${Prefix}${P}`>>>): App<Prefix>;
}

/** Options of routes that take over connections. */
export type UpgradeRouteOptions = RouteScheduling & UpgradeOptions;

/** Defaults for the routes of a scope. */
export type ScopeOptions = RouteScheduling & Pick<RouteOptions, 'compress' | 'maxBodyBytes'>;

/**
 * Routes and their handlers. Every shard builds its own by importing the user's module. The HTTP thread gets the routes but
 * not the handlers. Everything must be defined while the module is evaluated.
 */
export interface App<Prefix extends string = ''> {
  /** Routes GET and HEAD. Responses to HEAD have no body. */
  readonly get: AddRoute<Prefix>;
  /** Routes POST. */
  readonly post: AddRoute<Prefix>;
  /** Routes PUT. */
  readonly put: AddRoute<Prefix>;
  /** Routes PATCH. */
  readonly patch: AddRoute<Prefix>;
  /** Routes DELETE. */
  readonly delete: AddRoute<Prefix>;
  /** Routes OPTIONS. Without such a route, the server responds to OPTIONS with the methods that the path supports. */
  readonly options: AddRoute<Prefix>;
  /** Routes every method. */
  readonly all: AddRoute<Prefix>;
  /**
   * Routes GET requests that offer WebSocket, or another one of `protocols`, to a handler that takes over the connection, for instance with
   * `handleUpgrade` of `ws`. Middleware runs before it: if it throws or responds, the connection is not taken over. Requests that offer
   * something else, or nothing, go to other routes.
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  upgrade<const P extends string>(
    pattern: P,
    options: UpgradeRouteOptions,
    handler: UpgradeHandler<ParamsOf<`${Prefix}${P}`>>,
  ): App<Prefix>;
  /** The same with default options. */
  upgrade<const P extends string>(pattern: P, handler: UpgradeHandler<ParamsOf<`${Prefix}${P}`>>): App<Prefix>;
  /**
   * Runs middleware around the handlers of routes that are added later, and around `notFound`. Middleware runs in the order in which it was
   * added.
   * @param prefix limits it to paths at and below the prefix, such as `/admin` or `/:tenant`. Default: all paths
   * @throws LoopShardError MIDDLEWARE_INVALID, ROUTE_INVALID
   */
  use(prefix: string, middleware: Middleware): this;
  /** Runs middleware for all paths. */
  use(middleware: Middleware): this;
  /**
   * Defines routes below a prefix, with their own middleware, error handler and defaults. Middleware that was added earlier runs
   * around theirs.
   * @param prefix such as `/api`, or `''` for none
   * @param options defaults for the routes inside
   * @param define called synchronously
   */
  scope<const P extends string>(
    prefix: P,
    options: ScopeOptions,
    define: (app: App<`${Prefix}${NoInfer<P>}`>) => void,
  ): this;
  /** Defines routes below a prefix, without defaults of their own. */
  scope<const P extends string>(prefix: P, define: (app: App<`${Prefix}${NoInfer<P>}`>) => void): this;
  /** Defines routes below a prefix that is not a literal. */
  scope(prefix: string, options: ScopeOptions, define: (app: App) => void): this;
  /** Defines routes below a prefix that is not a literal, without defaults of their own. */
  scope(prefix: string, define: (app: App) => void): this;
  /**
   * Adds another app below a prefix: its routes with their middleware and error handlers, and its listeners. The listeners are added
   * once, however often the app is mounted. The options of the surrounding scope are the defaults of its routes. The mounted app can no
   * longer be changed.
   */
  mount(prefix: string, app: App): this;
  /**
   * Routes GET and HEAD to a body that never changes. It is rendered once, and the HTTP thread sends it even while all shards are busy.
   * No middleware runs. The response has a strong entity tag; a client that sends it back gets 304 (RFC 9110 section 13.1.2).
   * @param path without parameters
   * @param body bytes as they are, text as UTF-8, any other value as JSON
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE
   */
  fixed(path: string, body: unknown, options?: FixedOptions): this;
  /**
   * Serves the files of a directory to GET and HEAD, with content types, ranges, entity tags and conditional requests.
   * @param prefix prefix of their paths
   * @param directory a path, or a URL such as `new URL('./public/', import.meta.url)`
   * @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE, OPTION_INVALID
   */
  files(prefix: string, directory: string | URL, options?: FilesOptions): this;
  /** Handles requests that no route matches; in a scope, those below its prefix. The status is 404 unless the handler sets another. */
  notFound(handler: Handler): this;
  /**
   * Responds in place of a handler that threw; in a scope, of its own routes. The status is that of the error, usually 500, unless the
   * error handler sets another. If the error handler throws, the error handler of the surrounding scope is called.
   * @param options `keepHeaders`: also send the headers that were set before the error. Default false
   */
  onError(handler: ErrorHandler, options?: { keepHeaders?: boolean }): this;
  /** Sets headers or the body of responses that the HTTP thread sends itself, such as 404, 413 and 503. Applies to the whole server. */
  refusals(options: RefusalOptions): this;
  /**
   * Lets pages of other origins call the server and read every response: those of handlers, including errors, and those of the HTTP
   * thread, such as 404 and 503. The HTTP thread responds to preflights itself, for paths without an OPTIONS route. Applies to the whole
   * server; call it once.
   * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN
   */
  cors(options: CorsOptions): this;
  /** Calls `listener` on each shard before it takes requests, in the order added, and awaits its promise. If it fails, the start fails. */
  onStart(listener: LifecycleListener): this;
  /**
   * Calls `listener` on each shard when its last request has finished, in reverse order, and awaits its promise for at most
   * `timeouts.closeTimeoutMs`.
   */
  onClose(listener: LifecycleListener): this;
  /**
   * Adds a health check, for instance of a database. Each shard runs it before it takes requests, and then regularly; `/readyz` uses the
   * latest result. While checks fail on every shard of a group, `/readyz` returns 503 with their names (docs/healing.md). A failure does
   * not keep a shard from starting.
   * @param name unique in the app, with mounted ones. Default `app`
   * @throws LoopShardError OPTION_INVALID
   */
  health(name: string, options: HealthCheckOptions, check: HealthCheck): this;
  /** Adds a health check that runs every 5 s. */
  health(name: string, check: HealthCheck): this;
  /** Adds a health check with the name `app`. */
  health(check: HealthCheck): this;
  /**
   * Runs all code of a request in an async context that `enter` sets up: handlers, streams, listeners of `req.signal`. For libraries
   * that keep state for each request, such as `Sentry.withIsolationScope` (docs/context.md).
   * @param enter called once for each request, before any other code. It must call `run` before it returns
   */
  context(enter: ContextEntry): this;
}

/** Creates an empty app. The module passed to `serve` exports one by default. */
export function createApp(): App {
  return new AppScope(new AppDefinition(), {
    prefix: '',
    parent: undefined,
    defaults: {},
    middleware: [],
    errorRule: undefined,
  });
}

/**
 * Adds routes of every method for all paths to an app, for a handler that returns a RawReply.
 * @throws LoopShardError ROUTE_INVALID
 */
export let addRaw: (app: App, options: ScopeOptions, handler: Handler) => void;

/**
 * Adds a handler that gets every method and every target, also those that routes of users do not get.
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, ROUTE_INVALID
 */
export let addCatchAll: (app: App, options: ScopeOptions, handler: Handler) => void;

/** Below a prefix, `/*` does not match the prefix itself. */
const EVERYTHING = ['/', '/*'];

/** Implements the public API. Everything else is private, so that users see nothing more. */
class AppScope implements App {
  readonly #definition: AppDefinition;
  readonly #scope: Scope;

  constructor(definition: AppDefinition, scope: Scope) {
    this.#definition = definition;
    this.#scope = scope;
    Object.defineProperty(this, DEFINITION, { value: definition });
  }

  static {
    addRaw = (app, options, handler) => (app as AppScope).#addRaw(options, handler);
    addCatchAll = (app, options, handler) => (app as AppScope).#addCatchAll(options, handler);
  }

  get(pattern: string, ...rest: unknown[]): this {
    return this.#add(['GET', 'HEAD'], pattern, rest);
  }

  post(pattern: string, ...rest: unknown[]): this {
    return this.#add(['POST'], pattern, rest);
  }

  put(pattern: string, ...rest: unknown[]): this {
    return this.#add(['PUT'], pattern, rest);
  }

  patch(pattern: string, ...rest: unknown[]): this {
    return this.#add(['PATCH'], pattern, rest);
  }

  delete(pattern: string, ...rest: unknown[]): this {
    return this.#add(['DELETE'], pattern, rest);
  }

  options(pattern: string, ...rest: unknown[]): this {
    return this.#add(['OPTIONS'], pattern, rest);
  }

  all(pattern: string, ...rest: unknown[]): this {
    return this.#add(METHODS, pattern, rest);
  }

  upgrade(pattern: string, ...rest: unknown[]): this {
    const name = `upgrade ${join(this.#scope.prefix, checkPattern(`upgrade ${pattern}`, pattern))}`;
    const [given, handler] = routeArguments(name, rest);
    const options: UpgradeRouteOptions = checkRouteOptions(given, name, UPGRADE_OPTIONS);
    const below = join(this.#scope.prefix, pattern);
    return this.#push(name, pattern, {
      ...rulesOf({ ...this.#scope.defaults, ...options }, below, new Subject('ROUTE_INVALID', ` of route \`${name}\``)),
      methods: ['GET'],
      handler: takingOver(handler as never),
      isRaw: true,
      upgrades: checkProtocols(options, 'ROUTE_INVALID', ` of route \`${name}\``),
    });
  }

  use(...given: [prefix: string, middleware: Middleware] | [middleware: Middleware]): this {
    this.#definition.checkOpen();
    const [prefix, middleware] = middlewareArguments(given);
    const below = this.#scope.prefix + checkPrefix('app.use()', prefix);
    this.#scope.middleware.push({ prefix: below, middleware });
    return this;
  }

  scope(
    prefix: string,
    ...rest: [options: ScopeOptions, define: (app: App) => void] | [define: (app: App) => void]
  ): this {
    const [options, define] = rest.length > 1 ? (rest as [ScopeOptions, (app: App) => void]) : [{}, rest[0]];
    if (typeof define !== 'function') throw notAFunction('app.scope()', 'a function that is given the scope', define);
    const inner = this.#inner('app.scope()', prefix, options);
    define(new AppScope(this.#definition, inner));
    return this;
  }

  mount(prefix: string, app: App): this {
    const other = definitionOf(app);
    if (other === undefined) {
      throw new LoopShardError(
        'ROUTE_INVALID',
        `\`app.mount()\` expects an app that \`createApp()\` returned, got ${inspect(app, { depth: 0 })}. Wrap an app of another framework in \`fromFetch()\` or \`fromNode()\` of \`loopshard/adapters\`.`,
      );
    }
    const { prefix: below, defaults } = this.#inner('app.mount()', prefix, {});
    this.#definition.take(other, {
      prefix: below,
      scopes: this.#scopes(),
      middleware: this.#middleware(),
      rules: (name, pattern) => rulesOf(defaults, pattern, new Subject('ROUTE_INVALID', ` of route \`${name}\``)),
    });
    return this;
  }

  fixed(path: string, body: unknown, options: FixedOptions = {}): this {
    const name = `app.fixed('${path}')`;
    if (/[:*]/.test(path)) {
      throw new LoopShardError(
        'ROUTE_INVALID',
        `Invalid path of \`app.fixed()\`: ${path} has a parameter, but a fixed response is the same for every request.`,
      );
    }
    return this.#push(name, path, {
      ...NO_RULES,
      methods: ['GET', 'HEAD'],
      handler: notCalled,
      fixed: fixedBody(name, body, options),
    });
  }

  files(prefix: string, directory: string | URL, options: FilesOptions = {}): this {
    const at = checkPrefix('app.files()', prefix);
    const handler = fileHandler(directory, options, new Subject('OPTION_INVALID', ` of \`app.files('${prefix}')\``));
    const pattern = `${at}/*`;
    const rules = rulesOf(this.#scope.defaults, join(this.#scope.prefix, pattern), new Subject('ROUTE_INVALID'));
    return this.#push(`files ${pattern}`, pattern, { ...rules, methods: ['GET', 'HEAD'], handler });
  }

  notFound(handler: Handler): this {
    if (typeof handler !== 'function') throw notAFunction('app.notFound()', 'a handler', handler);
    this.#definition.addNotFound({
      prefix: this.#scope.prefix,
      handler,
      middleware: this.#middleware(),
      scopes: this.#scopes(),
    });
    return this;
  }

  onError(handler: ErrorHandler, { keepHeaders = false }: { keepHeaders?: boolean } = {}): this {
    this.#definition.checkOpen();
    if (typeof handler !== 'function') throw notAFunction('app.onError()', 'a function', handler);
    this.#scope.errorRule = { handler, keepHeaders };
    return this;
  }

  refusals(options: RefusalOptions): this {
    this.#definition.addRefusals(refusalTemplate(options));
    return this;
  }

  cors(options: CorsOptions): this {
    this.#definition.checkOpen();
    if (this.#definition.cors !== undefined) {
      throw new LoopShardError(
        'OPTION_INVALID',
        '`app.cors()` was already called, and applies to the whole server. Call it once, with all `origins`.',
      );
    }
    this.#definition.cors = corsRules(options);
    return this;
  }

  onStart(listener: LifecycleListener): this {
    if (typeof listener !== 'function') throw notAFunction('app.onStart()', 'a function', listener);
    this.#definition.checkOpen();
    this.#definition.onStart.push(listener);
    return this;
  }

  onClose(listener: LifecycleListener): this {
    if (typeof listener !== 'function') throw notAFunction('app.onClose()', 'a function', listener);
    this.#definition.checkOpen();
    this.#definition.onClose.push(listener);
    return this;
  }

  health(...given: unknown[]): this {
    this.#definition.addHealthCheck(healthArguments(given));
    return this;
  }

  context(enter: ContextEntry): this {
    if (typeof enter !== 'function') throw notAFunction('app.context()', 'a function', enter);
    this.#definition.checkOpen();
    this.#definition.contextEntry = enter;
    return this;
  }

  #add(
    methods: readonly AnyMethod[],
    pattern: string,
    rest: readonly unknown[],
    more: Pick<RouteDefinition, 'takesAnyTarget'> = {},
  ): this {
    const name = `${methods[0]} ${pattern}`;
    const below = join(this.#scope.prefix, checkPattern(name, pattern));
    const fullName = `${methods[0]} ${below}`;
    const [given, handler] = routeArguments(fullName, rest);
    const options = { ...this.#scope.defaults, ...checkRouteOptions(given, fullName) };
    const { body, ...others } = options;
    const schemas = body === 'stream' ? others : { ...others, body };
    return this.#push(fullName, pattern, {
      ...rulesOf(options, below, new Subject('ROUTE_INVALID', ` of route \`${fullName}\``)),
      methods,
      handler: validated(handler, schemas, fullName),
      schemas: options.response === undefined ? undefined : compileResponse(options.response, fullName),
      ...more,
    });
  }

  #push(
    name: string,
    pattern: string,
    route: Pick<RouteDefinition, 'methods' | 'handler'> & RouteRules & Partial<RouteDefinition>,
  ): this {
    this.#definition.add(name, {
      schemas: undefined,
      fixed: undefined,
      ...route,
      pattern: join(this.#scope.prefix, pattern),
      middleware: this.#middleware(),
      scopes: this.#scopes(),
    });
    return this;
  }

  #addCatchAll(options: ScopeOptions, handler: Handler): void {
    this.#definition.isForeign = true;
    for (const pattern of EVERYTHING) this.#add(ALL_METHODS, pattern, [options, handler], { takesAnyTarget: true });
  }

  #addRaw(options: ScopeOptions, handler: Handler): void {
    this.#definition.isForeign = true;
    for (const pattern of EVERYTHING) {
      const rules = rulesOf({ ...options, body: 'stream' }, pattern, new Subject('OPTION_INVALID', ' of `fromNode()`'));
      const body = { ...rules.body, isStreamed: false, isAuto: true } as const;
      this.#push(pattern, pattern, {
        ...rules,
        body,
        methods: ALL_METHODS,
        handler,
        isRaw: true,
        takesAnyTarget: true,
      });
    }
  }

  /** Creates a scope below this one. */
  #inner(caller: string, prefix: string, options: ScopeOptions): Scope {
    this.#definition.checkOpen();
    checkOptionNames(options, SCOPE_OPTIONS, `\`${caller}\``);
    return {
      prefix: this.#scope.prefix + checkPrefix(caller, prefix),
      parent: this.#scope,
      defaults: { ...this.#scope.defaults, ...options },
      middleware: [],
      errorRule: undefined,
    };
  }

  /** Innermost first. */
  #scopes(): Scope[] {
    const scopes: Scope[] = [];
    for (let scope: Scope | undefined = this.#scope; scope !== undefined; scope = scope.parent) scopes.push(scope);
    return scopes;
  }

  /** Middleware added so far, outermost first. */
  #middleware(): MiddlewareEntry[] {
    return this.#scopes()
      .reverse()
      .flatMap(({ middleware }) => middleware);
  }
}

const UPGRADE_OPTIONS: readonly string[] = [...ROUTE_SCHEDULING, 'protocols'];
const SCOPE_OPTIONS: readonly string[] = [...ROUTE_SCHEDULING, 'compress', 'maxBodyBytes'];
const ROUTE_OPTIONS: readonly string[] = [...SCOPE_OPTIONS, ...PARTS, 'response'];

/**
 * Converts the options of a route, or of its scope, to rules.
 * @throws LoopShardError ROUTE_INVALID
 */
function rulesOf(options: ScopeOptions & { body?: unknown }, pattern: string, subject: Subject): RouteRules {
  const { body, compress } = options;
  return {
    scheduling: checkRouteScheduling(options, pattern, subject),
    compress: compress === undefined ? undefined : { rules: checkCompress(compress, subject) },
    body: { isStreamed: body === 'stream', maxBytes: checkMaxBody(options, subject) },
  };
}

/** Handler of a route that the HTTP thread serves itself. */
function notCalled(): never {
  throw new LoopShardError('ROUTE_INVALID', 'A request for a fixed response arrived at a shard.');
}

/** Checks a prefix and strips a trailing `/` or `/*`. */
function checkPrefix(caller: string, prefix: unknown): string {
  if (typeof prefix === 'string' && (prefix === '' || prefix.startsWith('/'))) {
    const bare = prefix.replace(/\/\*?$/, '');
    if (!/[*?(]/.test(bare)) return bare;
  }
  throw new LoopShardError(
    'ROUTE_INVALID',
    `\`${caller}\` expects a prefix such as \`/api\` or \`/:tenant\`, without wildcards, optional parameters or regular expressions, got ${inspect(prefix)}.`,
  );
}

/** Checks the pattern of a route. It must begin with a slash, because a prefix may be put in front of it. */
function checkPattern(name: string, pattern: unknown): string {
  if (pattern === '*' || (typeof pattern === 'string' && pattern.startsWith('/'))) return pattern;
  throw new LoopShardError(
    'ROUTE_INVALID',
    `Invalid route \`${name}\`: expected a pattern that begins with \`/\`, got ${inspect(pattern)}.`,
  );
}

/** @throws LoopShardError ROUTE_INVALID */
function checkRouteOptions(options: unknown, name: string, known = ROUTE_OPTIONS): RouteOptions {
  if (typeof options !== 'object' || options === null) {
    throw new LoopShardError(
      'ROUTE_INVALID',
      `Invalid options of route \`${name}\`: expected an object, got ${inspect(options)}.`,
    );
  }
  checkOptionNames(options, known, `route \`${name}\``, 'ROUTE_INVALID');
  return options;
}
