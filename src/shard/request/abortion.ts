import { AsyncResource } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

/** Whether anybody still waits for the response of a request, and who is to be told when nobody does. Shard. */
export class Abortion {
  /** Nobody waits for the response, as far as the HTTP thread can tell. */
  isAborted = false;
  /** The response cannot be sent. */
  isGone = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  #abort: ((reason: unknown) => void) | undefined;
  #listeners: (() => void)[] = [];

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    // It is passed to whatever the handler starts. Node.js 20 warns of more than ten listeners, later versions do not.
    setMaxListeners(0, controller.signal);
    // Its listeners are the request's: they run in the context in which it asked for the signal.
    this.#abort = AsyncResource.bind((reason: unknown) => controller.abort(reason));
    if (this.isAborted) controller.abort(this.#reason);
    return controller.signal;
  }

  /** Calls `listener` in a microtask once the request is aborted. What it throws is nobody's but the app's. */
  onAbort(listener: () => void): void {
    const bound = AsyncResource.bind(listener);
    if (this.isAborted) queueMicrotask(bound);
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
    this.#abort?.(reason);
    for (const listener of this.#listeners) queueMicrotask(listener);
    this.#listeners = [];
  }
}
