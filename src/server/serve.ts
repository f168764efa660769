import type { pino as Pino } from 'pino';
import type { Logger } from '../options/logger.js';
import { moduleUrl } from '../options/module-url.js';
import type { ServeOptions } from '../options/serve-options.js';
import { safeLogger } from './safe-logger.js';
import type { Server } from './server.js';

/**
 * Starts a server. Unless there are several HTTP threads, the calling thread becomes the only one: keep it free of slow work.
 * @param module the module whose default export is the app; a path is taken from the working directory
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, MODULE_NOT_FOUND, MODULE_WITHOUT_APP, MODULE_FAILED,
 * ROUTE_INVALID, ROUTE_DUPLICATE, ROUTES_DIFFER, RUNTIME_UNSUPPORTED, MEMORY_EXHAUSTED, SHARD_FAILED, HTTP_THREAD_FAILED, PORT_IN_USE, LISTEN_FAILED, TLS_INVALID
 */
export async function serve(module: URL | string, options: ServeOptions = {}): Promise<Server> {
  // Shards import this module too, with the app, and should not load what only the HTTP thread needs.
  const [{ resolveOptions }, { RunningServer }, { pino }] = await Promise.all([
    import('../options/resolve.js'),
    import('./server.js'),
    import('pino'),
  ]);
  const resolved = resolveOptions(options);
  const url = moduleUrl(module, 'the module that exports your app');
  const logger = safeLogger(resolved.logger ?? standardLogger(pino, resolved.accessLog));
  const server = new RunningServer(url, resolved, logger);
  await server.start();
  return server;
}

function standardLogger(pino: typeof Pino, accessLog: boolean): Logger {
  const destination = pino.destination(2);
  // On a full disk behind standard error, for instance, lines are lost and the server goes on.
  destination.on('error', () => {});
  return pino({ name: 'loopshard', level: standardLevel(accessLog) }, destination);
}

/** The level of the log without the option `logger`. */
export function standardLevel(accessLog: boolean): 'info' | 'warn' {
  return accessLog ? 'info' : 'warn';
}
