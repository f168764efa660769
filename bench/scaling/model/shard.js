import { claimable, createClaims, createThreadTime, WORTH_US } from './dispatch.js';
import { WaitInVirtualTime } from './wait.js';

/** @typedef {import('./clients.js').Connection} Connection */
/** @typedef {import('./loopshard.js').LoopShard} LoopShard */
/** @typedef {import('./queue.js').Queue<Connection>} Ring */

/** The same as in src/shard/loop/loop.ts. */
const IDLE_TURNS = 50;
const SMALL_TURN = 2;
const TURN_US = 1_000;
/** The default of `batch`. */
const BATCH = 256;

/** A shard: claims, runs handlers one at a time, steals, parks. */
export class Shard {
  #server;
  #index;
  #words;
  #thread;
  #costs;
  #events;
  /** @type {readonly Ring[]} rings of this shard, by HTTP thread */
  #rings;
  #claims;
  #threadTime;
  #permits;
  /** @type {Connection[]} */
  #claimed = [];
  #next = 0;
  #nextHttp = 0;
  #started = 0;
  #turnStart = 0;
  #before = 0;
  #waiting = new WaitInVirtualTime(IDLE_TURNS, WORTH_US);
  #isCalm = false;
  #isRung = false;
  #isParked = false;
  #isDue = false;
  #extraUs = 0;

  /**
   * @param {LoopShard} server
   * @param {number} index
   */
  constructor(server, index) {
    this.#server = server;
    this.#index = index;
    this.#words = server.words[index];
    this.#permits = this.#words.permits;
    this.#costs = server.costs;
    this.#events = server.events;
    this.#rings = server.submissions[index];
    this.#thread = server.makeThread('shard', () => this.#turn());
    const side = {
      claim: (/** @type {number} */ most, /** @type {number} */ least) => this.#claimOwn(most, least),
      steal: (/** @type {number} */ most) => this.#steal(most),
    };
    this.#threadTime = createThreadTime(this.#words);
    this.#claims = createClaims(side, this.#words, BATCH, this.#threadTime);
    this.#isParked = true;
    this.#words.parked = 1;
  }

  /** An HTTP thread has submitted something. Returns whether the shard was parked. */
  ring() {
    if (this.#words.parked === 0) return false;
    this.#words.parked = 0;
    this.#isRung = true;
    this.#thread.wake(this.#costs.wake.wokenUs);
    return true;
  }

  get #nowUs() {
    return Math.floor(this.#events.now);
  }

  /**
   * @param {number} us
   * @param {() => void} next
   */
  #run(us, next) {
    const extraUs = this.#extraUs;
    this.#extraUs = 0;
    this.#thread.run(us + extraUs, next);
  }

  // ── one turn of the event loop ───────────────────────────────────────────────────────────────────────────────────

  #turn() {
    this.#run(this.#costs.shard.turnUs, this.#poll);
  }

  #poll = () => {
    if (this.#isRung) this.#run(this.#costs.wake.settleUs, this.#settle);
    else this.#check();
  };

  #settle = () => {
    this.#isRung = false;
    if (this.#isParked && !this.#isDue) this.#runTurn();
    else this.#check();
  };

  #check() {
    if (!this.#isDue) return this.#endOfTurn();
    this.#isDue = false;
    this.#runTurn();
  }

  #endOfTurn() {
    if (this.#isDue || this.#isRung) this.#turn();
    else this.#thread.sleep();
  }

  // ── the turn of src/shard/loop/loop.ts ───────────────────────────────────────────────────────────────────────────

  #runTurn() {
    this.#unpark();
    this.#started = 0;
    this.#turnStart = this.#nowUs;
    this.#claimOrEnd();
  }

  #claimOrEnd() {
    if (this.#started < BATCH && (this.#next < this.#claimed.length || this.#claim())) this.#startNext();
    else this.#afterHandlers();
  }

  #claim() {
    this.#next = 0;
    this.#claimed.length = 0;
    return this.#claims.claim() > 0;
  }

  #startNext() {
    const connection = this.#claimed[this.#next++];
    this.#before = this.#nowUs;
    this.#words.calledAt = this.#before | 1;
    connection.become('claimed', 'started');
    this.#run(this.#costs.shard.requestUs + connection.handlerUs, this.#onHandled);
  }

  #onHandled = () => {
    const connection = this.#claimed[this.#next - 1];
    this.#complete(connection);
    this.#started++;
    const now = this.#nowUs;
    this.#claims.learn(now - this.#before);
    const isTimeUp = Math.max(now - this.#turnStart, this.#started * this.#threadTime.meanUs) > TURN_US;
    if (isTimeUp) this.#afterHandlers();
    else if (this.#next < this.#claimed.length) this.#startNext();
    else this.#claimOrEnd();
  };

  #complete(/** @type {Connection} */ connection) {
    connection.become('started', 'completed');
    this.#permits++;
    const http = connection.server.index;
    this.#server.completions[this.#index][http].push(connection);
    if (this.#server.httpThreads[http].ring()) this.#extraUs += this.#costs.wake.ringUs;
  }

  #afterHandlers() {
    if (this.#started > 0) this.#words.calledAt = 0;
    this.#threadTime.turned(this.#started, this.#nowUs - this.#turnStart, 0);
    if (this.#started > 0) {
      this.#waiting.rewarded(this.#events.now);
      this.#isCalm = this.#started <= SMALL_TURN && this.#isFirstAwake();
      if (this.#isCalm || this.#next < this.#claimed.length || this.#hasWork()) return this.#again();
    } else if (this.#isCalm && this.#waiting.wait(this.#events.now)) {
      return this.#again();
    }
    this.#stealOrPark();
  }

  #again() {
    this.#isDue = true;
    this.#endOfTurn();
  }

  #stealOrPark() {
    this.#next = 0;
    this.#claimed.length = 0;
    if (this.#claims.steal() > 0 || !this.#park()) this.#isDue = true;
    this.#endOfTurn();
  }

  #unpark() {
    this.#isParked = false;
    this.#words.parked = 0;
  }

  #park() {
    this.#words.parks++;
    if (this.#hasWork()) return false;
    this.#isParked = true;
    this.#words.parked = 1;
    return true;
  }

  // ── rings ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #hasWork() {
    this.#extraUs += this.#rings.length * this.#costs.shard.ringUs;
    return this.#rings.some(({ length }) => length > 0);
  }

  #isFirstAwake() {
    const { words } = this.#server;
    for (let shard = 0; shard < this.#index; shard++) if (words[shard].parked === 0) return false;
    return true;
  }

  #claimOwn(/** @type {number} */ most, /** @type {number} */ least) {
    const sharers = this.#server.shards.length;
    for (let i = 0; i < this.#rings.length; i++) {
      const ring = this.#rings[this.#nextHttp];
      if (++this.#nextHttp === this.#rings.length) this.#nextHttp = 0;
      this.#extraUs += this.#costs.shard.ringUs;
      const count = this.#claimFrom(ring, most, sharers, least);
      if (count > 0) return count;
    }
    return 0;
  }

  #steal(/** @type {number} */ most) {
    const { submissions } = this.#server;
    this.#extraUs += (submissions.length - 1) * this.#rings.length * this.#costs.shard.ringUs;
    /** @type {Ring | undefined} */
    let fullest;
    let longest = 0;
    for (let shard = 0; shard < submissions.length; shard++) {
      if (shard === this.#index) continue;
      for (const ring of submissions[shard]) {
        if (ring.length <= longest) continue;
        longest = ring.length;
        fullest = ring;
      }
    }
    if (fullest === undefined) return 0;
    const count = this.#claimFrom(fullest, most, 2, 1);
    this.#server.stolen += count;
    return count;
  }

  /**
   * @param {Ring} ring
   * @param {number} most
   * @param {number} sharers
   * @param {number} least
   */
  #claimFrom(ring, most, sharers, least) {
    if (ring.length === 0) return 0;
    const count = claimable(ring.length, this.#permits, most, sharers, least);
    this.#permits -= count;
    this.#extraUs += this.#costs.shard.claimUs;
    for (let i = 0; i < count; i++) {
      const connection = ring.take();
      connection.become('submitted', 'claimed');
      this.#claimed.push(connection);
    }
    return count;
  }
}
