/** @typedef {import('./events.js').Events} Events */
/** @typedef {import('./random.js').Random} Random */
/** @typedef {import('../workloads.js').Workload} Workload */

/** The states of a request, in order. */
export const STATES = /** @type {const} */ ([
  'idle',
  'sent',
  'arrived',
  'submitted',
  'claimed',
  'started',
  'completed',
  'answered',
]);

/**
 * A connection of the load generator and its only request in flight. The request's states must follow in order, so that running it
 * twice, or responding twice, fails here.
 */
export class Connection {
  /** @type {(typeof STATES)[number]} */
  state = 'idle';
  sentAt = 0;
  /** CPU time of the handler, in microseconds. */
  handlerUs = 0;
  isHeavy = false;
  /** Number of the request, by which the server's threads identify it. */
  sequence = 0;
  /** The shard whose ring contains the request. */
  shard = -1;

  /** @param {Server} server the thread or process to which the kernel gave the connection */
  constructor(server) {
    this.server = server;
  }

  /**
   * @param {(typeof STATES)[number]} from
   * @param {(typeof STATES)[number]} to
   */
  become(from, to) {
    if (this.state !== from)
      throw new Error(`A request cannot become ${to}: it must be ${from}, but is ${this.state}.`);
    this.state = to;
  }
}

/**
 * A thread or process with sockets.
 * @typedef {object} Server
 * @property {number} index
 * @property {(connection: Connection) => void} receive a request has arrived on the connection
 */

/**
 * How requests reach the server and responses return.
 * @typedef {object} Network
 * @property {(connection: Connection) => void} send takes a request from the client
 * @property {(connection: Connection) => void} respond takes a response from the server
 */

/** Handler times vary by up to this share around their mean. */
const SPREAD = 0.25;

/** A closed loop: each connection sends its next request once it has received the previous response. */
export class Clients {
  sent = 0;
  answered = 0;
  /** Latencies in microseconds of requests that got their responses since `startMeasuring`. */
  light = /** @type {number[]} */ ([]);
  heavy = /** @type {number[]} */ ([]);
  #isMeasuring = false;
  #isOver = false;
  #events;
  #random;
  #workload;
  /** @type {Network} */
  #network;

  /**
   * @param {Events} events
   * @param {Random} random
   * @param {Workload} workload
   * @param {Network} network
   */
  constructor(events, random, workload, network) {
    this.#events = events;
    this.#random = random;
    this.#workload = workload;
    this.#network = network;
  }

  /** @param {Connection} connection */
  send(connection) {
    if (this.#isOver) return;
    connection.become('idle', 'sent');
    connection.sequence = ++this.sent;
    connection.sentAt = this.#events.now;
    const { handlerUs, heavyUs, heavyShare } = this.#workload;
    connection.isHeavy = heavyShare > 0 && this.#random.next() < heavyShare;
    // Handlers of exactly the same length would run in lockstep, unlike real ones.
    connection.handlerUs = (connection.isHeavy ? heavyUs : handlerUs) * (1 + SPREAD * (2 * this.#random.next() - 1));
    this.#network.send(connection);
  }

  /** Called when the response has reached the client. */
  receive(/** @type {Connection} */ connection) {
    connection.become('answered', 'idle');
    this.answered++;
    if (this.#isMeasuring) {
      (connection.isHeavy ? this.heavy : this.light).push(this.#events.now - connection.sentAt);
    }
  }

  startMeasuring() {
    this.#isMeasuring = true;
  }

  /** Stops sending requests. Responses that arrive later do not count. */
  end() {
    this.#isMeasuring = false;
    this.#isOver = true;
  }
}

/** Clients on other machines, whose CPU time is not part of the model: the wire takes half a round trip each way. */
export class RemoteNetwork {
  /** @type {Clients | undefined} */
  clients;
  #events;
  #random;
  #halfUs;

  /**
   * @param {Events} events
   * @param {Random} random
   * @param {number} roundTripUs
   */
  constructor(events, random, roundTripUs) {
    this.#events = events;
    this.#random = random;
    this.#halfUs = roundTripUs / 2;
  }

  send(/** @type {Connection} */ connection) {
    this.#events.at(this.#events.now + this.#delay(), this.#onArrival, connection);
  }

  respond(/** @type {Connection} */ connection) {
    this.#events.at(this.#events.now + this.#delay(), this.#onResponse, connection);
  }

  /** Varies by a tenth, so that clients do not run in lockstep. */
  #delay() {
    return this.#halfUs * (0.9 + 0.2 * this.#random.next());
  }

  #onArrival = (/** @type {Connection} */ connection) => {
    connection.become('sent', 'arrived');
    connection.server.receive(connection);
  };

  #onResponse = (/** @type {Connection} */ connection) => {
    const clients = /** @type {Clients} */ (this.clients);
    clients.receive(connection);
    clients.send(connection);
  };
}

/** A load generator with one thread on the same machine: it competes for the cores, and the wire takes no time. */
export class LocalNetwork {
  /** @type {Clients | undefined} */
  clients;
  /** @type {Connection[]} */
  #inbox = [];
  #thread;
  #costs;

  /**
   * @param {(role: string, first: () => void) => import('./machine.js').Thread} makeThread
   * @param {import('../costs.js').Costs} costs
   */
  constructor(makeThread, costs) {
    this.#costs = costs;
    this.#thread = makeThread('generator', () => this.#turn());
  }

  send(/** @type {Connection} */ connection) {
    connection.become('sent', 'arrived');
    connection.server.receive(connection);
  }

  respond(/** @type {Connection} */ connection) {
    this.#inbox.push(connection);
    this.#thread.wake(this.#costs.wake.wokenUs);
  }

  #turn() {
    if (this.#inbox.length === 0) return this.#thread.sleep();
    const batch = this.#inbox;
    this.#inbox = [];
    this.#thread.run(this.#costs.generator.turnUs, () => this.#handle(batch, 0));
  }

  #handle(/** @type {Connection[]} */ batch, /** @type {number} */ at) {
    if (at === batch.length) return this.#turn();
    this.#thread.run(this.#costs.generator.requestUs, () => {
      const clients = /** @type {Clients} */ (this.clients);
      clients.receive(batch[at]);
      clients.send(batch[at]);
      this.#handle(batch, at + 1);
    });
  }
}
