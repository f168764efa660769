/** @typedef {import('./clients.js').Connection} Connection */
/** @typedef {import('./machine.js').Thread} Thread */

/** A process of a cluster: one event loop that reads, runs the handler and writes, one request at a time. */
export class ClusterProcess {
  /** Only LoopShard's threads have different roles. */
  index = 0;
  #network;
  #wokenUs;
  #costs;
  #thread;
  /** @type {Connection[]} */
  #inbox = [];
  /** @type {Connection[]} */
  #batch = [];
  #at = 0;

  /**
   * @param {object} parts
   * @param {import('./clients.js').Network} parts.network
   * @param {import('../costs.js').Costs} parts.costs
   * @param {(role: string, first: () => void) => Thread} parts.makeThread
   * @param {import('../costs.js').ServerCosts} own
   */
  constructor({ network, costs, makeThread }, own) {
    this.#network = network;
    this.#wokenUs = costs.wake.wokenUs;
    this.#costs = own;
    this.#thread = makeThread('process', () => this.#turn());
  }

  receive(/** @type {Connection} */ connection) {
    this.#inbox.push(connection);
    this.#thread.wake(this.#wokenUs);
  }

  #turn() {
    if (this.#inbox.length === 0) return this.#thread.sleep();
    this.#thread.run(this.#costs.turnUs, this.#poll);
  }

  #poll = () => {
    this.#batch = this.#inbox;
    this.#at = 0;
    this.#inbox = [];
    this.#handleNext();
  };

  #handleNext() {
    if (this.#at === this.#batch.length) return this.#turn();
    const connection = this.#batch[this.#at];
    connection.become('arrived', 'submitted');
    this.#thread.run(this.#costs.requestUs + connection.handlerUs, this.#onHandled);
  }

  #onHandled = () => {
    const connection = this.#batch[this.#at++];
    connection.become('submitted', 'answered');
    this.#network.respond(connection);
    this.#handleNext();
  };
}
