import { inspect } from 'node:util';
import type { App } from '../app/app.js';
import { type AppDefinition, definitionOf } from '../app/definition.js';
import { LoopShardError } from '../errors.js';
import { resolveOptions } from '../options/resolve.js';
import type { ServeOptions } from '../options/serve-options.js';
import { startLocally } from '../server/local-shard.js';
import { safeLogger } from '../server/safe-logger.js';
import { RunningServer } from '../server/server.js';
import { standardLogger } from '../server/standard-logger.js';
import { InnerConnections } from './connections.js';
import { checkRequest, exchange, type InjectOptions, type InjectResponse } from './request.js';

/** Options of a test server: those of `serve()`, without threads and sockets. */
export type TestOptions = Omit<ServeOptions, (typeof NOT_FOR_TESTS)[number]>;

const NOT_FOR_TESTS = [
  'host',
  'port',
  'ipv6Only',
  'path',
  'fd',
  'tls',
  'shards',
  'groups',
  'httpThreads',
  'httpModule',
  'threads',
] as const satisfies readonly (keyof ServeOptions)[];

/** An app that runs in the thread of the test. */
export interface TestServer {
  /**
   * Sends a request through the same decoding, middleware, validation and serialization as over a socket.
   * @param request a path, or a method with a URL and more
   * @returns the complete response
   * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN; an error with the code ECONNRESET if the app closed the connection
   */
  inject(request: InjectOptions | string): Promise<InjectResponse>;
  /** Closes the app: waits for requests in flight, then calls the listeners of `app.onClose()`. */
  close(): Promise<void>;
  /** Closes the app, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Servers started by `inject()`. */
const servers = new WeakMap<AppDefinition, Promise<TestServer>>();
/** Interval of a timer that keeps the process alive while a response is awaited. */
const AWAKE_MS = 2 ** 30;

/**
 * Starts an app in the calling thread: `app.onStart()` is called with shard 0 of the group `default`, which runs the routes of all groups.
 * Mocked modules stay mocked, and breakpoints work.
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, MODULE_FAILED if a listener of `app.onStart()` fails
 */
export async function createTestServer(app: App, options: TestOptions = {}): Promise<TestServer> {
  const definition = checkApp(app, 'createTestServer()');
  const wrong = NOT_FOR_TESTS.find((name) => name in options);
  if (wrong !== undefined) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `Option \`${wrong}\` is not available for a test server, which has no sockets or threads. Leave it out.`,
    );
  }
  const connections = new InnerConnections();
  const resolved = resolveOptions({ ...options, shards: 0 });
  const { logLevel, logger } = resolved;
  const server = new RunningServer(
    '',
    { ...resolved, listening: { ...resolved.listening, source: connections } },
    safeLogger(logger ?? (await standardLogger(logLevel))),
    startLocally(async () => definition),
  );
  await server.start();
  const close = () => awake(server.close());
  return {
    inject: async (request) => {
      const checked = checkRequest(request);
      return awake(exchange(checked, connections.connect(checked.client)));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Sends a request to an app, in the calling thread and without a port. The first request starts the app, with the default options of
 * `serve()`; `close(app)` closes it.
 * @param request a path, or a method with a URL and more
 * @throws LoopShardError as `createTestServer` and its `inject`
 */
export async function inject(app: App, request: InjectOptions | string): Promise<InjectResponse> {
  const definition = checkApp(app, 'inject()');
  let server = servers.get(definition);
  if (server === undefined) {
    server = createTestServer(app);
    servers.set(definition, server);
  }
  return (await server).inject(request);
}

/** Closes an app that `inject` has started; does nothing otherwise. The next `inject` starts it again. */
export async function close(app: App): Promise<void> {
  const definition = checkApp(app, 'close()');
  const server = servers.get(definition);
  servers.delete(definition);
  await (await server)?.close();
}

function checkApp(app: unknown, caller: string): AppDefinition {
  const definition = definitionOf(app);
  if (definition !== undefined) return definition;
  const hasDefault = definitionOf((app as { default?: unknown } | undefined)?.default) !== undefined;
  const hint = hasDefault ? ' Pass its `default`.' : '';
  throw new LoopShardError(
    'OPTION_INVALID',
    `\`${caller}\` expects an app that \`createApp()\` returned, got ${inspect(app, { depth: 0 })}.${hint}`,
  );
}

async function awake<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, AWAKE_MS);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
