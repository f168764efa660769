/** Reproducible random numbers from a seed: xorshift64*. */
export class Random {
  readonly #state = new BigUint64Array(1);
  readonly #float = new Float64Array(1);
  readonly #bits = new BigUint64Array(this.#float.buffer);

  constructor(readonly seed: number) {
    this.#state[0] = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n;
    console.info(`seed ${seed}`);
  }

  bits(): bigint {
    let x = this.#state[0];
    x ^= x >> 12n;
    x ^= BigInt.asUintN(64, x << 25n);
    x ^= x >> 27n;
    this.#state[0] = x;
    return BigInt.asUintN(64, x * 0x2545f4914f6cdd1dn);
  }

  /** Any bit pattern, including NaN and infinities. */
  double(): number {
    this.#bits[0] = this.bits();
    return this.#float[0];
  }

  /** An integer from 0, below `limit`. */
  below(limit: number): number {
    return Number(this.bits() >> 11n) % limit;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  text(alphabet: readonly string[], length: number): string {
    let text = '';
    for (let i = 0; i < length; i++) text += this.pick(alphabet);
    return text;
  }
}

/** The seed of this run: SEED, or 1. */
export const SEED = Number(process.env.SEED ?? 1);
