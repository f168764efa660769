import { LoopShardError } from '../errors.js';
import { moduleUrl } from '../options/module-url.js';
import type { ServeOptions } from '../options/serve-options.js';
import { createServer } from '../server/serve.js';
import type { RunningServer, Server } from '../server/server.js';
import { INSPECT, TYPESCRIPT } from './names.js';
import { typeScriptLoaders } from './typescript.js';
import { watchFiles } from './watch-files.js';

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
  #server: RunningServer | undefined;
  readonly #module: string;
  readonly #options: ServeOptions;
  readonly #events: DevelopEvents;
  #isLoading = false;
  /** A file that has changed since the last load began. */
  #changed: string | undefined;
  /** Rejects what `start()` has returned. */
  #fail: (error: unknown) => void = () => {};

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
    const { preload = [], env = process.env as Record<string, string> } = options.threads ?? {};
    const loaders = typeScriptLoaders(this.#module);
    this.#options = {
      ...options,
      // The default is made for many clients.
      httpThreads: options.httpThreads ?? 1,
      threads: {
        ...options.threads,
        preload: [new URL('../dev/preload.js', import.meta.url), ...[preload].flat()],
        env: {
          ...env,
          ...(loaders.length > 0 && { [TYPESCRIPT]: loaders.join(' ') }),
          ...(inspectPort !== undefined && { [INSPECT]: String(inspectPort) }),
        },
      },
    };
    this.#events = events;
    watchFiles(this.#module, (file) => this.#onChange(file));
  }

  /**
   * Starts the server; if the module does not load, after a change that mends it. Never resolves.
   * @throws LoopShardError that no change mends, also later: OPTION_INVALID, PORT_IN_USE and others
   */
  start(): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.#fail = reject;
      void this.#load(undefined);
    });
  }

  #onChange(file: string): void {
    this.#changed = file;
    // What is loading is from before the change, and may never finish.
    if (this.#isLoading) this.#server?.giveUpLoading();
    else void this.#load(file);
  }

  /** Loads the module until nothing has changed meanwhile. */
  async #load(changed: string | undefined): Promise<void> {
    this.#isLoading = true;
    let file = changed;
    try {
      do {
        this.#changed = undefined;
        await this.#loadOnce(file);
        file = this.#changed;
      } while (file !== undefined);
    } catch (error) {
      this.#fail(error);
    }
    this.#isLoading = false;
  }

  async #loadOnce(file: string | undefined): Promise<void> {
    const state = this.#server?.state ?? 'failed';
    try {
      if (state === 'ready') await this.#reload(file!);
      else if (state === 'failed') await this.#startServer();
    } catch (error) {
      if (!isOfModule(error)) throw error;
      if (error.code !== 'NOT_RUNNING') this.#events.onFailed(error, state === 'ready');
    }
  }

  async #startServer(): Promise<void> {
    const server = await createServer(this.#module, this.#options);
    this.#server = server;
    await server.start();
    this.#events.onStarted(server);
  }

  async #reload(file: string): Promise<void> {
    const begin = performance.now();
    await this.#server!.reload();
    this.#events.onReloaded(this.#server!, file, performance.now() - begin);
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
