/** The third argument of `app.fetch`: work that goes on after the response. One for each app and shard. */
export class BackgroundWork {
  readonly #pending = new Set<Promise<unknown>>();

  /** Keeps the shard from ending until `promise` has settled, for at most `timeouts.closeTimeoutMs`. A rejection is logged. */
  readonly waitUntil = (promise: unknown): void => {
    const work = Promise.resolve(promise).catch((error) => console.error('Work passed to waitUntil() failed:', error));
    this.#pending.add(work);
    void work.then(() => this.#pending.delete(work));
  };

  /** Does nothing: there is no origin server to pass requests to. Frameworks call it on other platforms. */
  passThroughOnException(): void {}

  /** Resolves when no work is pending. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}
