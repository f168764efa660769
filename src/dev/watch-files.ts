import { IMPORTS, type Import, importOf, versionOf } from './imports.js';

/** How often files are looked at. */
const LOOK_MS = 200;

/**
 * Watches the files that shards load, by comparing them with what was loaded. Events of the file system miss what changes before they are
 * subscribed to, folders that are created again, and files on some mounted volumes. Main thread of `loopshard dev`.
 * @param module URL of the app
 * @param onChange called after files have changed, with one of them
 */
export function watchFiles(module: string, onChange: (file: string) => void): void {
  const versions = new Map<string, string>();
  /** A file that has changed, while others may still be changing. */
  let changed: string | undefined;

  const see = ({ file, version }: Import) => {
    const last = versions.get(file);
    if (last === version) return;
    versions.set(file, version);
    if (last !== undefined) changed = file;
  };

  const look = () => {
    const before = changed;
    changed = undefined;
    for (const file of versions.keys()) see({ file, version: versionOf(file) });
    if (before === undefined) return;
    if (changed === undefined) onChange(before);
  };

  const app = importOf(module);
  if (app !== undefined) see(app);
  new BroadcastChannel(IMPORTS).onmessage = (event) => see((event as { data: Import }).data);
  setInterval(look, LOOK_MS);
}
