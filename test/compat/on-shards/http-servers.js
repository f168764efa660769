/*
 * Lets the HTTP servers of a test suite run on LoopShard, in the suite's own thread. `--import` loads it before the suite. The parser, rings
 * and shard loop read the requests, and the adapter for Node apps emits them on the suite's server.
 */
import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { fromNode } from '../../../build/src/adapters/from-node.js';
import { Behind } from './behind.js';

/** @typedef {import('./behind.js').Server} Server */

/** @type {WeakMap<Server, Behind>} */
const behind = new WeakMap();

/** @param {{ prototype: Server }} kind */
function put({ prototype }, /** @type {string} */ event) {
  const { listen, close, closeAllConnections } = prototype;
  Object.assign(prototype, {
    /** @this {Server} @param {[any]} given */
    listen(...given) {
      const own = this.listeners(event).find(({ name }) => name === 'connectionListener');
      if (own !== undefined) {
        this.removeListener(event, /** @type {() => void} */ (own));
        this.prependListener(event, (/** @type {import('node:net').Socket} */ socket) =>
          behind.get(this)?.take(socket),
        );
      }
      const one = new Behind(this, fromNode(thatStaysOpen(this)));
      behind.set(this, one);
      this.once('listening', () => one.start());
      return listen.apply(this, given);
    },
    /** @this {Server} @param {[]} given */
    close(...given) {
      void behind.get(this)?.end('close');
      return close.apply(this, given);
    },
    /** @this {Server} */
    closeAllConnections() {
      void behind.get(this)?.end('destroy');
      closeAllConnections.call(this);
    },
  });
}

/**
 * The server for the adapter, which closes the servers of apps when they end: this one may listen again by then.
 * @param {Server} server
 */
function thatStaysOpen(server) {
  return Object.create(server, { close: { value() {} } });
}

put(HttpServer, 'connection');
put(HttpsServer, 'secureConnection');
