/* Marks threads that a server has started, for every copy of this package that modules on them import. */

const OWN_THREAD = Symbol.for('loopshard.ownThread');

/** Kinds of threads that a server starts. */
export type OwnThread = 'shard' | 'HTTP thread';

/** Marks the calling thread as started by a server. */
export function markOwnThread(kind: OwnThread): void {
  Object.defineProperty(globalThis, OWN_THREAD, { value: kind });
}

/** The kind of the calling thread; undefined if no server has started it. */
export function ownThread(): OwnThread | undefined {
  return (globalThis as { [OWN_THREAD]?: OwnThread })[OWN_THREAD];
}
