/** Weight of the latest wait. */
const WEIGHT = 1 / 8;

/** The same as src/core/wait-strategy.ts, which reads the real clock and therefore cannot run in virtual time. */
export class WaitInVirtualTime {
  #turns;
  #worthUs;
  #waited = 0;
  #since = 0;
  #meanUs = 0;

  /**
   * @param {number} turns maximum turns of the event loop to wait awake
   * @param {number} worthUs mean wait above which staying awake is not worth a core
   */
  constructor(turns, worthUs) {
    this.#turns = turns;
    this.#worthUs = worthUs;
  }

  wait(/** @type {number} */ now) {
    if (this.#waited === 0) this.#since = now;
    return this.#waited++ < this.#turns && this.#meanUs <= this.#worthUs;
  }

  rewarded(/** @type {number} */ now) {
    if (this.#waited === 0) return;
    this.#meanUs += (now - this.#since - this.#meanUs) * WEIGHT;
    this.#waited = 0;
  }

  restart() {
    this.#waited = 0;
  }
}
