/** Samples of a window, at the least, and its length in microseconds. */
const WINDOW_SAMPLES = 10;
const WINDOW_US = 100_000;
/** Windows over which the long-term mean forgets. */
const LONG_WINDOWS = 600;
/** Windows whose plain mean the long-term mean begins with. */
const WARM_UP_WINDOWS = 10;
/** The short-term mean may be that much longer than the long-term one before the limit goes down. */
const TOLERANCE = 1.5;
/** Handlers above what the means allow for: what lets the limit grow. */
const HEADROOM = 4;
/** How much of a new limit counts. */
const SMOOTHING = 0.2;
/** A long-term mean that is that much too long is of another time, and shrinks by a part with each window. */
const STALE = 2;
const STALE_DECAY = 0.95;

/**
 * Adaptive permits, after Gradient2 of Netflix's concurrency-limits: the limit shrinks by the ratio of how long handlers took in
 * the long term to how long they take now, and otherwise grows by a few. Vegas, the other well-known one, compares with the
 * *shortest* time ever seen, which a server whose routes take different times cannot go by. Shard.
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

  /** A handler took `us`, and `inFlight` were in flight, itself included. */
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
    // A limit that nobody reaches says nothing about whether it is too high.
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
