import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';

/** Has something run in the next turn of the event loop: once, however often that is asked for. For one thread. */
export class Turn {
  readonly #run: () => void;
  /** The async context in which the turn was made: who schedules it must not carry a context over to others. */
  readonly #scope = new AsyncResource('LOOPSHARD_TURN');
  readonly #onImmediate = () => {
    this.#isDue = false;
    this.#scope.runInAsyncScope(this.#run);
  };
  #isDue = false;

  constructor(run: () => void) {
    this.#run = run;
  }

  schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(this.#onImmediate);
  }

  /** Runs it at once, unless it is due anyway. */
  run(): void {
    if (!this.#isDue) this.#run();
  }
}
