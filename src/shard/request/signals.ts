import { AsyncResource } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

/** Abort signals of the requests that asked for one, and the aborts that came before they did. Shard. */
export class AbortSignals {
  readonly #controllers = new Map<
    number,
    { sequence: number; controller: AbortController; abort: (reason: unknown) => void }
  >();
  /** Slot → sequence number of a request whose client is gone. */
  readonly #aborted = new Map<number, number>();
  /** Slot → what `req.onAbort` was given. */
  readonly #listeners = new Map<number, { sequence: number; listeners: (() => void)[] }>();
  /** The same of those whose responses cannot be sent. */
  readonly #gone = new Map<number, number>();

  /** The signal of the request `sequence` in `slot`. */
  signal(slot: number, sequence: number): AbortSignal {
    const known = this.#controllers.get(slot);
    if (known !== undefined) return known.controller.signal;
    const controller = new AbortController();
    // It is passed to whatever the handler starts. Node.js 20 warns of more than ten listeners, later versions do not.
    setMaxListeners(0, controller.signal);
    // Its listeners are the request's: they run in the context in which it asked for the signal.
    const abort = AsyncResource.bind((reason: unknown) => controller.abort(reason));
    this.#controllers.set(slot, { sequence, controller, abort });
    if (this.isAborted(slot, sequence)) controller.abort();
    return controller.signal;
  }

  /** Calls `listener` in a microtask once the request `sequence` in `slot` is aborted. What it throws is nobody's but the app's. */
  onAbort(slot: number, sequence: number, listener: () => void): void {
    const bound = AsyncResource.bind(listener);
    if (this.isAborted(slot, sequence)) return queueMicrotask(bound);
    const known = this.#listeners.get(slot);
    if (known?.sequence === sequence) known.listeners.push(bound);
    else this.#listeners.set(slot, { sequence, listeners: [bound] });
  }

  /**
   * The HTTP thread says that nobody waits for the request `sequence` any more. It may have settled already.
   * @param isGone its response cannot be sent
   * @param reason of the signal
   */
  abort(slot: number, sequence: number, isGone = false, reason?: unknown): void {
    if (isGone) this.#gone.set(slot, sequence);
    this.#aborted.set(slot, sequence);
    const known = this.#controllers.get(slot);
    if (known?.sequence === sequence) known.abort(reason);
    const waiting = this.#listeners.get(slot);
    if (waiting?.sequence !== sequence) return;
    this.#listeners.delete(slot);
    for (const listener of waiting.listeners) queueMicrotask(listener);
  }

  /** Nobody waits for the request `sequence` any more. */
  isAborted(slot: number, sequence: number): boolean {
    return this.#aborted.get(slot) === sequence;
  }

  /** The response of the request `sequence` cannot be sent. */
  isGone(slot: number, sequence: number): boolean {
    return this.#gone.get(slot) === sequence;
  }

  /** The request in `slot` has settled. */
  forget(slot: number): void {
    if (this.#controllers.size > 0) this.#controllers.delete(slot);
    if (this.#aborted.size > 0) this.#aborted.delete(slot);
    if (this.#listeners.size > 0) this.#listeners.delete(slot);
    if (this.#gone.size > 0) this.#gone.delete(slot);
  }
}
