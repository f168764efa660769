import { ownThread } from '../contract/own-thread.js';
import { LoopShardError } from '../errors.js';
import { moduleUrl } from '../options/module-url.js';
import type { ServeOptions } from '../options/serve-options.js';
import type { StartThread } from '../pool/shard-thread.js';
import { safeLogger } from './safe-logger.js';
import type { RunningServer, Server } from './server.js';

/**
 * Starts a server. With one HTTP thread, the calling thread is that thread: keep slow work off it.
 * @param module the module whose default export is the app; a relative path is resolved against the working directory
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, MODULE_NOT_FOUND, MODULE_WITHOUT_APP, MODULE_FAILED,
 * ROUTE_INVALID, ROUTE_DUPLICATE, ROUTES_DIFFER, SERVE_ON_OWN_THREAD, RUNTIME_UNSUPPORTED, MEMORY_EXHAUSTED, SHARD_FAILED, HTTP_THREAD_FAILED, PORT_IN_USE, LISTEN_FAILED, TLS_INVALID
 */
export async function serve(module: URL | string, options: ServeOptions = {}): Promise<Server> {
  const server = await createServer(module, options);
  await server.start();
  return server;
}

/** Creates a server that is yet to be started. */
export async function createServer(module: URL | string, options: ServeOptions): Promise<RunningServer> {
  const thread = ownThread();
  if (thread !== undefined) {
    throw new LoopShardError(
      'SERVE_ON_OWN_THREAD',
      `Cannot call \`serve()\` on ${thread === 'shard' ? 'a shard' : 'an HTTP thread'}: it imports the module that you serve, and would serve it again. Call \`serve()\` in a separate module, such as main.js, that does not export the app.`,
    );
  }
  // Shards import this module with the app, and must not load what only the HTTP thread needs.
  const [{ resolveOptions }, { RunningServer }, { standardLogger }] = await Promise.all([
    import('../options/resolve.js'),
    import('./server.js'),
    import('./standard-logger.js'),
  ]);
  const resolved = resolveOptions(options);
  const url = moduleUrl(module, 'the module that exports your app');
  const logger = safeLogger(resolved.logger ?? (await standardLogger(resolved.logLevel)));
  const startThread = resolved.isLocal ? await startsLocally(url, resolved.preload) : undefined;
  return new RunningServer(url, resolved, logger, startThread);
}

async function startsLocally(url: string, preloaded: readonly string[]): Promise<StartThread> {
  const [{ startLocally }, { loadApp, preload }] = await Promise.all([
    import('./local-shard.js'),
    import('../shard/load-app.js'),
  ]);
  return startLocally(async () => {
    await preload(preloaded);
    return loadApp(url);
  });
}
