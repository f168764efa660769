/* Threads that a server has started know so, whichever copy of this package a module on them imports. */

const OWN_THREAD = Symbol.for('loopshard.ownThread');

/** What a thread of a server is. */
export type OwnThread = 'shard' | 'HTTP thread';

/** The calling thread was started by a server. */
export function markOwnThread(kind: OwnThread): void {
  Object.defineProperty(globalThis, OWN_THREAD, { value: kind });
}

/** What the calling thread is to the server that has started it; nothing for a thread of the user. */
export function ownThread(): OwnThread | undefined {
  return (globalThis as { [OWN_THREAD]?: OwnThread })[OWN_THREAD];
}
