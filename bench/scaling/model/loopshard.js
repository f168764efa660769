import { ShardWords } from './dispatch.js';
import { HttpThread } from './http-thread.js';
import { Queue } from './queue.js';
import { Shard } from './shard.js';

/** @typedef {import('./clients.js').Connection} Connection */
/** @typedef {import('./machine.js').Thread} Thread */

/** The default of `permits`. */
const PERMITS = 512;

/**
 * @typedef {object} Configuration
 * @property {number} httpThreads
 * @property {number} shards
 */

/** The server: HTTP threads and shards, the rings between each pair of them, and the words of the shards. */
export class LoopShard {
  /** Requests that a shard took from another shard's ring. */
  stolen = 0;
  events;
  network;
  costs;
  configuration;
  makeThread;
  words;
  /** Rings by shard and HTTP thread. */
  submissions;
  completions;
  httpThreads;
  shards;

  /**
   * @param {object} parts
   * @param {import('./events.js').Events} parts.events
   * @param {import('./clients.js').Network} parts.network
   * @param {import('../costs.js').Costs} parts.costs
   * @param {(role: string, first: () => void) => Thread} parts.makeThread
   * @param {Configuration} configuration
   */
  constructor({ events, network, costs, makeThread }, configuration) {
    this.events = events;
    this.network = network;
    this.costs = costs;
    this.makeThread = makeThread;
    this.configuration = configuration;
    const { httpThreads, shards } = configuration;
    const rings = () =>
      Array.from({ length: shards }, () =>
        Array.from({ length: httpThreads }, () => /** @type {Queue<Connection>} */ (new Queue())),
      );
    this.words = Array.from({ length: shards }, () => new ShardWords(PERMITS));
    this.submissions = rings();
    this.completions = rings();
    this.httpThreads = Array.from({ length: httpThreads }, (_, index) => new HttpThread(this, index));
    this.shards = Array.from({ length: shards }, (_, index) => new Shard(this, index));
    const dispatchers = this.httpThreads.map(({ dispatcher }) => dispatcher);
    for (const dispatcher of dispatchers) dispatcher.connect(dispatchers);
  }
}
