import { AsyncResource } from 'node:async_hooks';

const SCOPE = { requireManualDestroy: true };

/** Calls code of users in an async scope of its own: what it does to its async context, nobody who is called later sees. */
export function runApart<T>(run: () => T): T {
  return new AsyncResource('LOOPSHARD_CALLBACK', SCOPE).runInAsyncScope(run);
}
