/**
 * A share that follows its samples slowly. A load balancer sends fewer requests to a server with a low share, which then rises, and so on: without
 * this, the shares of servers under high load would swing. With requests for `load` of the permits, they settle if the load balancer reads the
 * share at least every `2 × (1 - load)` time constants.
 */
export class SmoothedShare {
  readonly #constantMs: number;
  #value: number;

  /** @param constantMs time after which 63 % of a change is followed */
  constructor(first: number, constantMs: number) {
    this.#value = first;
    this.#constantMs = constantMs;
  }

  get value(): number {
    return this.#value;
  }

  /** @param ms time since the last sample */
  add(sample: number, ms: number): void {
    this.#value += (sample - this.#value) * (1 - Math.exp(-ms / this.#constantMs));
  }
}
