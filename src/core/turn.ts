import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';

/** Runs a function in the next turn of the event loop, once however often it is scheduled. For one thread. */
export class Turn {
  readonly #run: () => void;
  /** The async context in which the turn was created. The context of the code that schedules it must not leak into it. */
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

  /** Runs the function immediately, unless it is already scheduled. */
  run(): void {
    if (!this.#isDue) this.#run();
  }
}
