/* What shards report about the files that they load. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The broadcast channel of the reports. */
export const IMPORTS = 'loopshard.imports';
/** The folder of this package's own modules. */
const OWN = fileURLToPath(new URL('../', import.meta.url));

/** A file that a shard loads, or has not found. */
export interface Import {
  file: string;
  /** As it was before it was loaded. */
  version: string;
}

/** Describes a file outside packages; undefined for other modules. */
export function importOf(url: string): Import | undefined {
  if (!url.startsWith('file:')) return undefined;
  const file = fileURLToPath(url.replace(/[?#].*$/, ''));
  if (/[\\/]node_modules[\\/]/.test(file) || file.startsWith(OWN)) return undefined;
  return { file, version: versionOf(file) };
}

/** Changes with the contents of the file; empty if there is none. */
export function versionOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}

/** The URL of a module that was not found, by its relative specifier: the app is to be loaded again once it exists. */
export function missingUrl(specifier: string, parent: string | undefined): string | undefined {
  return /^\.{0,2}\//.test(specifier) && parent?.startsWith('file:') === true
    ? new URL(specifier, parent).href
    : undefined;
}

/** Reports the files that a thread loads. */
export class ImportReports {
  readonly #channel = new BroadcastChannel(IMPORTS);

  constructor() {
    (this.#channel as unknown as { unref(): void }).unref();
  }

  onLoad(url: string): void {
    const loaded = importOf(url);
    if (loaded !== undefined) this.#channel.postMessage(loaded);
  }

  onMissing(specifier: string, parent: string | undefined): void {
    const url = missingUrl(specifier, parent);
    if (url !== undefined) this.onLoad(url);
  }
}
