import { inspect } from 'node:util';
import { type App, addCatchAll, createApp, type ScopeOptions } from '../app/app.js';
import { AT_PATTERN, type PatternHandler } from '../app/definition.js';
import type { Handler, ShardRequest } from '../app/handler.js';
import { isThenable } from '../core/thenable.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { ROUTE_SCHEDULING } from '../options/scheduling.js';
import { BackgroundWork } from './background-work.js';
import { DefaultEnv } from './default-env.js';
import type { FetchRuntime } from './fetch/runtime.js';
import { isClass, wrongApp } from './wrong-app.js';

/** An app with a method `fetch`, such as those of Hono, h3, Elysia and itty-router; or a function from `Request` to `Response`. */
export type FetchApp =
  // biome-ignore lint/suspicious/noExplicitAny: frameworks declare their own classes of requests, environments and contexts
  { fetch(request: any, ...rest: any[]): unknown } | ((request: any, ...rest: any[]) => unknown);

/** Options of `fromFetch`. Those of scopes apply to all requests of the app. */
export interface FetchOptions extends ScopeOptions {
  /**
   * `stream`: the app is called when the head of a request has arrived, and reads the body as it arrives, of any size. Otherwise it is called
   * when the body is complete, which is faster for small bodies.
   */
  body?: 'stream';
  /**
   * Second argument of `app.fetch`, `c.env` in Hono; or a function that returns it for each request. Default: an object with the ShardRequest as
   * `loopshard`.
   */
  env?: unknown;
  /**
   * Whether lazy classes of LoopShard stand in for the globals `Request`, `Response`, `Headers` and `fetch` on the shards. Without them the
   * app gets a native `Request`, and runs at half the speed. Default true.
   */
  globals?: boolean;
}

const SCOPE_OPTIONS: readonly string[] = [...ROUTE_SCHEDULING, 'compress', 'maxBodyBytes'];
const FETCH_OPTIONS: readonly string[] = [...SCOPE_OPTIONS, 'body', 'env', 'globals'];

/**
 * Makes an app of LoopShard of a fetch app: a module can export it, and `app.mount()` can add it below a prefix, which the fetch app
 * does not see in `request.url`. The fetch app gets requests of every method, except those for which other routes match better.
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, ROUTE_INVALID
 */
export function fromFetch(fetchApp: FetchApp, options: FetchOptions = {}): App {
  const { env, globals, ...route } = checkOptions(options);
  const call = callOf(fetchApp);
  const background = new BackgroundWork();
  const adapter = new FetchAdapter(call, envOf(env), background);
  const app = createApp();
  app.onStart(async () => {
    const { FetchRuntime } = await import('./fetch/runtime.js');
    adapter.runtime = new FetchRuntime(globals ?? true);
  });
  // Called in reverse order.
  app.onClose(() => adapter.runtime?.end());
  app.onClose(() => background.settled());
  addCatchAll(app, route, adapter.handlerAt(''));
  return app;
}

type FetchCall = (request: unknown, env: unknown, context: BackgroundWork) => unknown;
type EnvOf = (req: ShardRequest) => unknown;

/** Calls a fetch app for the requests of a shard. */
class FetchAdapter {
  readonly #call: FetchCall;
  readonly #env: EnvOf;
  readonly #background: BackgroundWork;
  /** Set when the shard has started. Loading it loads the fetch classes of Node.js, which takes 20 ms. */
  runtime: FetchRuntime | undefined;

  constructor(call: FetchCall, env: EnvOf, background: BackgroundWork) {
    this.#call = call;
    this.#env = env;
    this.#background = background;
  }

  /** @param prefix where the app is mounted */
  handlerAt(prefix: string): PatternHandler {
    const segments = prefix.split('/').length - 1;
    const handler: Handler = (req) => {
      const result = this.#call(this.runtime!.request(req, segments), this.#env(req), this.#background);
      return (isThenable(result) ? result.then(checkResponse) : checkResponse(result)) as Response;
    };
    return Object.assign(handler, {
      [AT_PATTERN]: (pattern: string) => this.handlerAt(pattern.replace(/\/\*?$/, '')),
    });
  }
}

/** @throws LoopShardError RESPONSE_INVALID */
function checkResponse(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    if ((value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'Response') return value;
  }
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `The fetch app returned ${inspect(value, { depth: 0 })}, expected a \`Response\`. Return one for every request, also if no route matches.`,
  );
}

function callOf(app: unknown): FetchCall {
  // Some apps are proxies, whose properties must not be read to find out what they are.
  if ((typeof app === 'object' || typeof app === 'function') && app !== null && 'fetch' in app) {
    const { fetch } = app as { fetch: unknown };
    if (typeof fetch === 'function') return (request, env, context) => fetch.call(app, request, env, context);
  }
  if (typeof app === 'function' && !isClass(app as never)) return app as FetchCall;
  throw wrongApp('fromFetch()', 'an app with a method `fetch`, or a function from `Request` to `Response`', app);
}

function envOf(env: unknown): EnvOf {
  if (env === undefined) return (req) => new DefaultEnv(req);
  return typeof env === 'function' ? (env as EnvOf) : () => env;
}

/** Checks the options that are not those of routes, which `app.all()` checks. */
function checkOptions(options: unknown): FetchOptions {
  if (typeof options !== 'object' || options === null) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `\`fromFetch()\` expects options as an object, got ${inspect(options)}.`,
    );
  }
  checkOptionNames(options, FETCH_OPTIONS, '`fromFetch()`');
  const { body, globals } = options as FetchOptions;
  if (body !== undefined && body !== 'stream') throw invalid('body', "'stream'", body);
  if (globals !== undefined && typeof globals !== 'boolean') throw invalid('globals', 'a boolean', globals);
  return options;
}

function invalid(name: string, wanted: string, value: unknown): LoopShardError {
  return new LoopShardError(
    'OPTION_INVALID',
    `Invalid option \`${name}\` of \`fromFetch()\`: expected ${wanted}, got ${inspect(value)}.`,
  );
}
