/** Minimum number of samples of a window, and its minimum length in microseconds. */
const WINDOW_SAMPLES = 10;
const WINDOW_US = 100_000;
/** Span of the long-term mean, in windows. */
const LONG_WINDOWS = 600;
/** The long-term mean starts as the plain mean of this many windows. */
const WARM_UP_WINDOWS = 10;
/** The limit shrinks once the short-term mean exceeds the long-term one by this factor. */
const TOLERANCE = 1.5;
/** Handlers added to the computed limit in each window, so that it can grow. */
const HEADROOM = 4;
/** Weight of a new limit. */
const SMOOTHING = 0.2;
/** A long-term mean that is longer by this factor is outdated, and decays with each window. */
const STALE = 2;
const STALE_DECAY = 0.95;

/**
 * Adaptive permits, after Gradient2 of Netflix's concurrency-limits: the limit shrinks by the ratio of the long-term to the current
 * handler time, and otherwise grows by a few. Vegas, the other well-known algorithm, compares with the *shortest* time ever seen, which
 * does not work for routes with different handler times. Shard only.
 */
export class Gradient2 {
  readonly #min: number;
  readonly #max: number;
  readonly #onChange: (limit: number, shortMeanUs: number, longMeanUs: number) => void;
  #limit: number;
  #longMeanUs = 0;
  #windows = 0;
  #windowStart = 0;
  #samples = 0;
  #sumUs = 0;
  #mostInFlight = 0;

  /** @param onChange called after each window */
  constructor(
    { initial, min, max }: { initial: number; min: number; max: number },
    onChange: (limit: number, shortMeanUs: number, longMeanUs: number) => void,
  ) {
    this.#limit = initial;
    this.#min = min;
    this.#max = max;
    this.#onChange = onChange;
  }

  /** Records that a handler took `us` microseconds while `inFlight` handlers, including itself, were in flight. */
  sample(us: number, inFlight: number, nowUs: number): void {
    if (this.#samples === 0) this.#windowStart = nowUs;
    this.#samples++;
    this.#sumUs += us;
    if (inFlight > this.#mostInFlight) this.#mostInFlight = inFlight;
    if (this.#samples < WINDOW_SAMPLES || nowUs - this.#windowStart < WINDOW_US) return;
    this.#endWindow(this.#sumUs / this.#samples, this.#mostInFlight);
    this.#samples = this.#sumUs = this.#mostInFlight = 0;
  }

  #endWindow(shortMeanUs: number, mostInFlight: number): void {
    this.#learn(shortMeanUs);
    // If the limit is not reached, the times do not show whether it is too high.
    if (mostInFlight >= this.#limit / 2) {
      const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * this.#longMeanUs) / shortMeanUs));
      const wanted = this.#limit * gradient + HEADROOM;
      const limit = this.#limit * (1 - SMOOTHING) + wanted * SMOOTHING;
      this.#limit = Math.max(this.#min, Math.min(this.#max, limit));
    }
    this.#onChange(Math.floor(this.#limit), Math.round(shortMeanUs), Math.round(this.#longMeanUs));
  }

  #learn(shortMeanUs: number): void {
    this.#windows++;
    const weight = this.#windows <= WARM_UP_WINDOWS ? 1 / this.#windows : 2 / (LONG_WINDOWS + 1);
    this.#longMeanUs += (shortMeanUs - this.#longMeanUs) * weight;
    if (this.#longMeanUs > STALE * shortMeanUs) this.#longMeanUs *= STALE_DECAY;
  }
}
