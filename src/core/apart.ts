import { AsyncResource } from 'node:async_hooks';

const SCOPE = { requireManualDestroy: true };

/** Calls user code in its own async scope, so that its changes to the async context do not affect later calls. */
export function runApart<T>(run: () => T): T {
  return new AsyncResource('LOOPSHARD_CALLBACK', SCOPE).runInAsyncScope(run);
}
