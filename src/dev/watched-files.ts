import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FSWatcher, watch } from 'chokidar';
import { IMPORTS } from './names.js';

/** How long after a change the files may still be changing. */
const SETTLE_MS = 50;

/** Watches the files that shards load, outside packages. Main thread of `loopshard dev`. */
export class WatchedFiles {
  readonly #watcher: FSWatcher;
  readonly #channel = new BroadcastChannel(IMPORTS);
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param onChange called after files have changed, with one of them */
  constructor(onChange: (file: string) => void) {
    const ignored = (path: string) => !this.#files.has(path) && !this.#folders.has(path);
    this.#watcher = watch([], { ignoreInitial: true, depth: 0, ignored });
    this.#watcher.on('all', (_event, file) => {
      if (!this.#files.has(file)) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(onChange, SETTLE_MS, file);
    });
    this.#channel.onmessage = (event) => this.add((event as { data: string }).data);
  }

  /** Watches a module, unless it belongs to a package. */
  add(url: string): void {
    if (!url.startsWith('file:')) return;
    const file = fileURLToPath(url.replace(/[?#].*$/, ''));
    if (/[\\/]node_modules[\\/]/.test(file) || file.startsWith(OWN) || this.#files.has(file)) return;
    this.#files.add(file);
    // The watch of a file ends when the file is removed: its folder shows that it is there again.
    this.#folders.add(dirname(file));
    this.#watcher.add([file, dirname(file)]);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#channel.close();
    await this.#watcher.close();
  }
}

/** The folder of this package's own modules. */
const OWN = fileURLToPath(new URL('../', import.meta.url));
