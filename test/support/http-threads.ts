import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import type { ServeOptions } from 'loopshard';
import { resolveOptions } from '../../build/src/options/resolve.js';
import { RunningServer } from '../../build/src/server/server.js';
import { startServer, type TestServer, until } from './server.js';

/** A server with several HTTP threads. Each listens on its own port, so a test can choose the thread. */
export interface ServerWithThreads extends TestServer {
  server: RunningServer;
  ports: number[];
}

/** Works on every version of Node.js, because no port is shared. */
export async function startHttpThreads(
  httpThreads: number,
  options: ServeOptions = {},
  fixture = 'http-threads-app.js',
): Promise<ServerWithThreads> {
  let running: RunningServer | undefined;
  const started = await startServer({ ...options, httpThreads: 1 }, fixture, async (module, given) => {
    const logger = given!.logger!;
    const own = resolveOptions(given!);
    const { reusePort: _reusePort, ...target } = own.listening.target;
    // Each thread has a port of its own, so that tests can choose one.
    const resolved = { ...own, listening: { ...own.listening, target, sockets: 1 }, httpThreads };
    running = new RunningServer(String(module), resolved, logger);
    await running.start();
    return running;
  });
  const server = running!;
  return { ...started, server, ports: server.addresses.map(({ port }) => port) };
}

/** The channel between a test and the handlers of http-threads-app.js. */
export class Handlers {
  readonly heard: string[] = [];
  readonly #channel = new BroadcastChannel('http-threads-app');

  constructor() {
    this.#channel.onmessage = (event) => void this.heard.push((event as { data: string }).data);
  }

  /** Resolves once a handler has sent this message. */
  async until(what: string): Promise<void> {
    await until(() => this.heard.includes(what), what);
  }

  /** Releases the handler that is held under this name. */
  release(name: string): void {
    this.#channel.postMessage(name);
  }

  close(): void {
    this.#channel.close();
  }
}

/** An `httpModule` like http-module.js. While it is held, it does not finish loading: a thread that has ended stays away. */
export class HeldModule {
  readonly url: URL;
  readonly #folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
  readonly #file = join(this.#folder, 'held');

  constructor() {
    this.url = new URL(`../fixtures/http-modules/held.js?${encodeURIComponent(this.#file)}`, import.meta.url);
  }

  hold(): void {
    writeFileSync(this.#file, '');
  }

  release(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
