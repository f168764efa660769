import { AsyncResource } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

/** Abort signals of the requests that asked for one, and the aborts that came before they did. Shard. */
export class AbortSignals {
  readonly #controllers = new Map<number, { sequence: number; controller: AbortController; abort: () => void }>();
  /** Slot → sequence number of a request whose client is gone. */
  readonly #aborted = new Map<number, number>();
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
    const abort = AsyncResource.bind(() => controller.abort());
    this.#controllers.set(slot, { sequence, controller, abort });
    if (this.#aborted.get(slot) === sequence) controller.abort();
    return controller.signal;
  }

  /**
   * The HTTP thread says that nobody waits for the request `sequence` any more. It may have settled already.
   * @param isGone its response cannot be sent
   */
  abort(slot: number, sequence: number, isGone = false): void {
    if (isGone) this.#gone.set(slot, sequence);
    const known = this.#controllers.get(slot);
    if (known === undefined) this.#aborted.set(slot, sequence);
    else if (known.sequence === sequence) known.abort();
  }

  /** Nobody waits for the request `sequence` any more. */
  isAborted(slot: number, sequence: number): boolean {
    const known = this.#controllers.get(slot);
    return known === undefined ? this.#aborted.get(slot) === sequence : known.controller.signal.aborted;
  }

  /** The response of the request `sequence` cannot be sent. */
  isGone(slot: number, sequence: number): boolean {
    return this.#gone.get(slot) === sequence;
  }

  /** The request in `slot` has settled. */
  forget(slot: number): void {
    if (this.#controllers.size > 0) this.#controllers.delete(slot);
    if (this.#aborted.size > 0) this.#aborted.delete(slot);
    if (this.#gone.size > 0) this.#gone.delete(slot);
  }
}
