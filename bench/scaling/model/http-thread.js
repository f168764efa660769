import { Dispatcher, worthUs } from './dispatch.js';
import { WaitInVirtualTime } from './wait.js';

/** @typedef {import('./clients.js').Connection} Connection */
/** @typedef {import('./loopshard.js').LoopShard} LoopShard */

/** The same as in src/http/completion/completions.ts. */
const IDLE_TURNS = 50;
const GATHER_TURNS = 2;
const GATHER_REQUESTS = 32;
const LOAD = 8;
/** The same as in src/http/admission/watch.ts. */
const LOOK_US = 2_000;

/** An HTTP thread: reads and dispatches requests, rings doorbells, takes completions, writes responses. */
export class HttpThread {
  /** The word that tells shards to ring the doorbell. */
  parked = 0;
  dispatcher;
  #server;
  index;
  #thread;
  #costs;
  #events;
  /** @type {Connection[]} */
  #inbox = [];
  /** Connections of the current turn, and how many of them are done. */
  /** @type {Connection[]} */
  #batch = [];
  #at = 0;
  /** The doorbell was rung, and the event loop has not noticed yet. */
  #isRung = false;
  /** The thread pauses, and only the end of the pause wakes it. */
  #isPaused = false;
  /** The length of the pause at the end of this turn. */
  #pauseUs = 0;
  /** The thread considers itself parked. */
  #isParked = false;
  /** `setImmediate` is pending. */
  #isDue = false;
  /** Costs charged to the next segment. */
  #extraUs = 0;
  #outstanding = 0;
  #gathered = 0;
  #postponed = 0;
  #waiting;
  #given;
  /** The cost of reading a shard's words and the other threads' requests there. */
  #lookUs;
  #isWatching = false;
  #isWatchDue = false;
  /** The first request in each ring at the last check. */
  #oldest;

  /**
   * @param {LoopShard} server
   * @param {number} index
   */
  constructor(server, index) {
    this.#server = server;
    this.index = index;
    this.#costs = server.costs;
    this.#events = server.events;
    this.#thread = server.makeThread('http', () => this.#turn());
    const { shards, httpThreads } = server.configuration;
    const { lookUs, lineUs } = this.#costs.http;
    this.#waiting = new WaitInVirtualTime(IDLE_TURNS, worthUs(httpThreads));
    this.#lookUs = lookUs + (httpThreads - 1) * lineUs;
    this.#given = new Uint8Array(shards);
    this.#oldest = new Int32Array(shards);
    const rings = {
      isGiven: (/** @type {number} */ shard) => this.#given[shard] === 1,
      own: (/** @type {number} */ shard) => server.submissions[shard][index].length,
      all: (/** @type {number} */ shard) => server.submissions[shard].reduce((sum, { length }) => sum + length, 0),
    };
    this.dispatcher = new Dispatcher(server.words, rings, httpThreads, (shard) => {
      this.#extraUs += this.#costs.http.ringUs;
      if (rings.own(shard) > 0) this.#wakeOther(shard);
    });
  }

  /** Called when a request has arrived. */
  receive(/** @type {Connection} */ connection) {
    this.#inbox.push(connection);
    this.#wakeUp();
  }

  /** Called when a shard has completed a request. Returns whether the thread was parked. */
  ring() {
    if (this.parked === 0) return false;
    this.parked = 0;
    this.#isRung = true;
    this.#wakeUp();
    return true;
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

  #wakeUp() {
    if (!this.#isPaused) this.#thread.wake(this.#costs.wake.wokenUs);
  }

  // ── one turn of the event loop: timers, sockets, setImmediate ────────────────────────────────────────────────────

  #turn() {
    if (this.#isWatchDue) this.#watch();
    this.#run(this.#costs.http.turnUs, this.#poll);
  }

  #poll = () => {
    this.#batch = this.#inbox;
    this.#at = 0;
    this.#inbox = [];
    if (this.#isRung) this.#run(this.#costs.wake.settleUs, this.#settle);
    else this.#readNext();
  };

  #settle = () => {
    this.#isRung = false;
    if (!this.#isParked || this.#isDue) return this.#readNext();
    this.#afterTurn = this.#readNext;
    this.#runTurn();
  };

  #readNext = () => {
    if (this.#at < this.#batch.length) return this.#run(this.#costs.http.readUs, this.#onRead);
    if (!this.#isDue) return this.#endOfTurn();
    this.#isDue = false;
    this.#afterTurn = this.#endOfTurn;
    this.#runTurn();
  };

  #endOfTurn = () => {
    if (this.#pauseUs > 0) this.#pause();
    else if (this.#isDue || this.#inbox.length > 0 || this.#isRung || this.#isWatchDue) this.#turn();
    else this.#thread.sleep();
  };

  #pause() {
    this.#isPaused = true;
    this.#events.at(this.#events.now + this.#pauseUs, this.#onPauseEnd, undefined);
    this.#pauseUs = 0;
    this.#thread.sleep();
  }

  #onPauseEnd = () => {
    this.#isPaused = false;
    this.#wakeUp();
  };

  // ── admission ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onRead = () => {
    const connection = this.#batch[this.#at++];
    const { dispatcher } = this;
    const shard = dispatcher.pick(Math.floor(this.#events.now));
    const { visits, looks } = dispatcher.takeCounts();
    this.#extraUs += visits * this.#costs.http.visitUs + looks * this.#lookUs;
    connection.become('arrived', 'submitted');
    connection.shard = shard;
    this.#server.submissions[shard][this.index].push(connection);
    this.#given[shard] = 1;
    dispatcher.submitted(shard);
    this.#outstanding++;
    this.#published(shard);
    this.#startWatching();
    this.#readNext();
  };

  #published(/** @type {number} */ shard) {
    if (this.#isParked && this.#server.words[shard].parked === 0) return;
    this.#gathered++;
    this.#waiting.restart();
    this.#isDue = true;
  }

  // ── the turn of src/http/completion/completions.ts ───────────────────────────────────────────────────────────────

  /** @type {() => void} */
  #afterTurn = () => {};
  /** @type {Connection[]} */
  #touched = [];
  #flushed = 0;

  #runTurn() {
    this.#unpark();
    this.#ringShards();
    if (this.#reapAll() > 0) this.#waiting.rewarded(this.#events.now);
    this.#flushNext();
  }

  #unpark() {
    this.#isParked = false;
    this.parked = 0;
  }

  #ringShards() {
    if (this.#gathered === 0) return;
    const worthWaiting = this.#outstanding >= LOAD && this.#gathered < GATHER_REQUESTS;
    if (this.#someSleep()) {
      if (worthWaiting && this.#postponed++ < GATHER_TURNS) return;
      for (let shard = 0; shard < this.#given.length; shard++) {
        if (this.#given[shard] === 0) continue;
        this.#given[shard] = 0;
        this.#wake(shard);
      }
    }
    this.#gathered = 0;
    this.#postponed = 0;
  }

  #someSleep() {
    let sleeping = false;
    for (let shard = 0; shard < this.#given.length; shard++) {
      if (this.#given[shard] === 0) continue;
      if (this.#server.words[shard].parked === 1) sleeping = true;
      else this.#given[shard] = 0;
    }
    return sleeping;
  }

  #wake(/** @type {number} */ shard) {
    if (!this.#server.shards[shard].ring()) return false;
    this.#extraUs += this.#costs.wake.ringUs;
    return true;
  }

  /** Takes all available completions. Returns how many. */
  #reapAll() {
    const { completions } = this.#server;
    const { ringUs, completionUs } = this.#costs.http;
    const shards = completions.length;
    let count = 0;
    for (let shard = 0; shard < shards; shard++) {
      const ring = completions[shard][this.index];
      while (ring.length > 0) {
        const connection = ring.take();
        connection.become('completed', 'answered');
        this.dispatcher.completed(connection.shard);
        this.#touched.push(connection);
        count++;
      }
    }
    this.#outstanding -= count;
    this.#extraUs += shards * ringUs + count * completionUs;
    return count;
  }

  #flushNext = () => {
    if (this.#flushed < this.#touched.length) return this.#run(this.#costs.http.writeUs, this.#onWritten);
    this.#touched = [];
    this.#flushed = 0;
    if (
      this.#outstanding > 0 &&
      (this.#gathered > 0 || this.#mayPause() || this.#waiting.wait(this.#events.now) || !this.#park())
    ) {
      this.#isDue = true;
    }
    this.#afterTurn();
  };

  #mayPause() {
    const { words, submissions } = this.#server;
    const { ringUs, lineUs } = this.#costs.http;
    this.#extraUs += words.length * ringUs;
    this.#pauseUs = this.dispatcher.pauseUs(Math.floor(this.#events.now));
    const { looks } = this.dispatcher.takeCounts();
    // The queues of each other HTTP thread are on one cache line.
    this.#extraUs += looks * this.#lookUs;
    if (this.#pauseUs > 0) this.#extraUs += (submissions[0].length - 1) * lineUs;
    return this.#pauseUs > 0;
  }

  #onWritten = () => {
    this.#server.network.respond(this.#touched[this.#flushed++]);
    this.#flushNext();
  };

  #park() {
    const { completions } = this.#server;
    this.#extraUs += completions.length * this.#costs.http.ringUs;
    for (let shard = 0; shard < completions.length; shard++)
      if (completions[shard][this.index].length > 0) return false;
    this.#isParked = true;
    this.parked = 1;
    return true;
  }

  // ── the check of the rings in src/http/admission/watch.ts ────────────────────────────────────────────────────────

  #startWatching() {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#events.at(this.#events.now + LOOK_US, this.#onWatchDue, undefined);
  }

  #onWatchDue = () => {
    this.#isWatchDue = true;
    this.#wakeUp();
  };

  #watch() {
    const { submissions } = this.#server;
    this.#isWatchDue = false;
    this.#isWatching = false;
    this.#extraUs += submissions.length * this.#costs.http.ringUs;
    let isWaiting = false;
    for (let shard = 0; shard < submissions.length; shard++) {
      const { first, length } = submissions[shard][this.index];
      if (length > 0) isWaiting = true;
      this.#helpIfStuck(shard, length > 0 ? first.sequence : 0);
    }
    if (isWaiting) this.#startWatching();
  }

  #helpIfStuck(/** @type {number} */ shard, /** @type {number} */ oldest) {
    const isStuck = oldest !== 0 && oldest === this.#oldest[shard];
    this.#oldest[shard] = oldest;
    if (isStuck) this.#wakeOther(shard);
  }

  #wakeOther(/** @type {number} */ shard) {
    for (let other = 0; other < this.#given.length; other++) if (other !== shard && this.#wake(other)) return;
  }
}
