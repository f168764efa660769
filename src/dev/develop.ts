import { LoopShardError } from '../errors.js';
import { moduleUrl } from '../options/module-url.js';
import type { ServeOptions } from '../options/serve-options.js';
import { serve } from '../server/serve.js';
import type { Server } from '../server/server.js';
import { INSPECT, TYPESCRIPT } from './names.js';
import { typeScriptLoaders } from './typescript.js';
import { WatchedFiles } from './watched-files.js';

/** What happens while an app is developed. */
export interface DevelopEvents {
  /** The server is running. */
  onStarted(server: Server): void;
  /**
   * New requests run the changed code.
   * @param file that has changed
   */
  onReloaded(server: Server, file: string, ms: number): void;
  /** The module does not load. @param isServing the code before the change continues to serve */
  onFailed(error: LoopShardError, isServing: boolean): void;
}

/** Serves an app and loads it again after each change of one of its modules. Main thread. */
export class Development {
  #server: Server | undefined;
  readonly #module: string;
  readonly #options: ServeOptions;
  readonly #events: DevelopEvents;
  readonly #files: WatchedFiles;
  #isStarting = false;
  /** A file that has changed during the start. */
  #changed: string | undefined;

  /**
   * @param module as for `serve()`
   * @param inspectPort of the first shard's inspector
   * @throws LoopShardError MODULE_NOT_FOUND, MODULE_FAILED, OPTION_INVALID
   */
  constructor(module: string, options: ServeOptions, inspectPort: number | undefined, events: DevelopEvents) {
    this.#module = moduleUrl(module, 'the module that exports your app');
    if (options.shards === 0) {
      throw new LoopShardError(
        'OPTION_INVALID',
        '`loopshard dev` needs shards that it can reload: leave out `--shards 0`.',
      );
    }
    const { execArgv = process.execArgv, env = process.env as Record<string, string> } = options.threads ?? {};
    const loaders = typeScriptLoaders(this.#module);
    const preload = new URL('../dev/preload.js', import.meta.url).href;
    this.#options = {
      ...options,
      // The default is made for many clients.
      httpThreads: options.httpThreads ?? 1,
      threads: {
        ...options.threads,
        execArgv: [...execArgv, `--import=${preload}`],
        env: {
          ...env,
          ...(loaders.length > 0 && { [TYPESCRIPT]: loaders.join(' ') }),
          ...(inspectPort !== undefined && { [INSPECT]: String(inspectPort) }),
        },
      },
    };
    this.#events = events;
    this.#files = new WatchedFiles((file) => void this.#onChange(file));
    this.#files.add(this.#module);
  }

  get server(): Server | undefined {
    return this.#server;
  }

  /** Starts the server; if the module does not load, after a change that mends it. */
  async start(): Promise<void> {
    this.#isStarting = true;
    do {
      this.#changed = undefined;
      try {
        this.#server = await serve(this.#module, this.#options);
        this.#events.onStarted(this.#server);
      } catch (error) {
        if (!isOfModule(error)) throw error;
        this.#events.onFailed(error, false);
      }
    } while (this.#server === undefined && this.#changed !== undefined);
    this.#isStarting = false;
    if (this.#changed !== undefined) await this.#onChange(this.#changed);
  }

  async #onChange(file: string): Promise<void> {
    if (this.#isStarting) {
      this.#changed = file;
      return;
    }
    if (this.#server === undefined) return this.start();
    if (this.#server.state !== 'ready') return;
    const begin = performance.now();
    try {
      await this.#server.reload();
      this.#events.onReloaded(this.#server, file, performance.now() - begin);
    } catch (error) {
      if (!(error instanceof LoopShardError)) throw error;
      if (error.code !== 'NOT_RUNNING') this.#events.onFailed(error, true);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#files.close(), this.#server?.close()]);
  }
}

/** Errors of options and ports, which no change of the app mends. */
const NOT_OF_MODULE = new Set([
  'OPTION_INVALID',
  'OPTION_UNKNOWN',
  'TLS_INVALID',
  'PORT_IN_USE',
  'LISTEN_FAILED',
  'RUNTIME_UNSUPPORTED',
  'MEMORY_EXHAUSTED',
]);

function isOfModule(error: unknown): error is LoopShardError {
  return error instanceof LoopShardError && !NOT_OF_MODULE.has(error.code);
}
