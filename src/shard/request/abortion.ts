import { AsyncResource } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

/** Something to be called in the async context in which it was passed. */
interface Listener {
  listener: () => void;
  scope: AsyncResource;
}

/** Whether anybody still waits for the response of a request, and who is to be told when nobody does. Shard. */
export class Abortion {
  /** Nobody waits for the response, as far as the HTTP thread can tell. */
  isAborted = false;
  /** The response cannot be sent. */
  isGone = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  /** In which the signal's listeners run: they are the request's. */
  #scope: AsyncResource | undefined;
  #listeners: Listener[] = [];

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    // It is passed to whatever the handler starts. Node.js 20 warns of more than ten listeners, later versions do not.
    setMaxListeners(0, controller.signal);
    this.#scope = newScope();
    if (this.isAborted) controller.abort(this.#reason);
    return controller.signal;
  }

  /** Calls `listener` in a microtask once the request is aborted. What it throws is nobody's but the app's. */
  onAbort(listener: () => void): void {
    const bound: Listener = { listener, scope: newScope() };
    if (this.isAborted) tell(bound);
    else this.#listeners.push(bound);
  }

  /**
   * @param isGone the response cannot be sent
   * @param reason of the signal
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

/** The caller's async context. Not `AsyncResource.bind`, which takes several times the memory. */
function newScope(): AsyncResource {
  return new AsyncResource('LOOPSHARD_ABORT', { requireManualDestroy: true });
}

function tell({ listener, scope }: Listener): void {
  queueMicrotask(() => scope.runInAsyncScope(listener));
}
