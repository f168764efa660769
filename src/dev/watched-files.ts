import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FSWatcher, watch } from 'chokidar';
import { IMPORTS } from './names.js';

/** How long after a change the files may still be changing. */
const SETTLE_MS = 50;

/** Watches the files that shards load, outside packages. Main thread of `loopshard dev`. */
export class WatchedFiles {
  readonly #channel = new BroadcastChannel(IMPORTS);
  readonly #files = new Set<string>();
  /** Those of the files, and the ones above them. */
  readonly #folders = new Set<string>();
  readonly #onChange: (file: string) => void;
  #watcher = this.#watch([]);
  #timer: NodeJS.Timeout | undefined;

  /** @param onChange called after files have changed, with one of them */
  constructor(onChange: (file: string) => void) {
    this.#onChange = onChange;
    this.#channel.onmessage = (event) => this.add((event as { data: string }).data);
  }

  /** Watches a module, unless it belongs to a package. */
  add(url: string): void {
    if (!url.startsWith('file:')) return;
    const file = fileURLToPath(url.replace(/[?#].*$/, ''));
    if (/[\\/]node_modules[\\/]/.test(file) || file.startsWith(OWN) || this.#files.has(file)) return;
    const folders = foldersOf(file);
    this.#files.add(file);
    for (const folder of folders) this.#folders.add(folder);
    this.#watcher.add([file, ...folders]);
  }

  #watch(paths: string[]): FSWatcher {
    const ignored = (path: string) => !this.#files.has(path) && !this.#folders.has(path);
    const watcher = watch(paths, { ignoreInitial: true, depth: 0, ignored });
    return watcher.on('all', (_event, path) => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#settle(path), SETTLE_MS);
    });
  }

  /** The watch of a file or folder that was removed and created again is that of the removed one, so all are watched anew. */
  #settle(path: string): void {
    void this.#watcher.close();
    this.#watcher = this.#watch([...this.#files, ...this.#folders]);
    // What changes until then is part of this change.
    this.#watcher.once('ready', () => {
      const file = this.#files.has(path) ? path : [...this.#files].find((one) => isInside(one, path));
      this.#onChange(file!);
    });
  }
}

/** The folders of a file, up to one that contains the working directory: a folder shows that what it contains is there again. */
function foldersOf(file: string): string[] {
  const folder = dirname(file);
  const isTop = folder === dirname(folder) || folder === process.cwd() || isInside(process.cwd(), folder);
  return isTop ? [folder] : [folder, ...foldersOf(folder)];
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(`${folder}${sep}`);
}

/** The folder of this package's own modules. */
const OWN = fileURLToPath(new URL('../', import.meta.url));
