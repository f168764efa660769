import { AsyncResource } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

/** A listener, called in the async context in which it was added. */
interface Listener {
  listener: () => void;
  scope: AsyncResource;
}

/** Tracks whether the client still waits for a response, and calls listeners when it does not. Shard only. */
export class Abortion {
  /** The client no longer waits for the response, as far as the HTTP thread can tell. */
  isAborted = false;
  /** The response cannot be sent. */
  isGone = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  /** Async scope of the signal's listeners: that of the request. */
  #scope: AsyncResource | undefined;
  #listeners: Listener[] = [];

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    // Handlers pass the signal to many operations. Node.js 20 warns about more than ten listeners, later versions do not.
    setMaxListeners(0, controller.signal);
    this.#scope = newScope();
    if (this.isAborted) controller.abort(this.#reason);
    return controller.signal;
  }

  /** Calls `listener` in a microtask once the request is aborted, so that an exception of it is the app's and not ours. */
  onAbort(listener: () => void): void {
    const bound: Listener = { listener, scope: newScope() };
    if (this.isAborted) tell(bound);
    else this.#listeners.push(bound);
  }

  /**
   * @param isGone the response cannot be sent
   * @param reason reason of the signal
   */
  abort(isGone = false, reason?: unknown): void {
    if (isGone) this.isGone = true;
    if (this.isAborted) return;
    this.isAborted = true;
    this.#reason = reason;
    this.#scope?.runInAsyncScope(() => this.#controller!.abort(reason));
    for (const listener of this.#listeners) tell(listener);
    this.#listeners = [];
  }
}

/** Captures the caller's async context. `AsyncResource.bind` would use several times as much memory. */
function newScope(): AsyncResource {
  return new AsyncResource('LOOPSHARD_ABORT', { requireManualDestroy: true });
}

function tell({ listener, scope }: Listener): void {
  queueMicrotask(() => scope.runInAsyncScope(listener));
}
