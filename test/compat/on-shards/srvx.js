/* Serves the apps of srvx's tests with `fromFetch` instead of srvx's own server. `--import` loads it before the suite. */
import { createServer } from 'node:http';
import { fromFetch } from '../../../build/src/adapters/from-fetch.js';
import { Behind } from './behind.js';

/**
 * What `serve()` of srvx passes to a loader: `fetch` runs the middleware, the plugins and the error handler of the options.
 * @typedef {object} SrvxServer
 * @property {(request: Request) => Response} fetch
 */

/** @param {{ server: SrvxServer }} loaded */
function load({ server }) {
  const front = createServer().removeAllListeners('connection');
  const behind = new Behind(front, fromFetch(server.fetch, { body: 'stream' }));
  front.on('connection', (socket) => behind.take(socket));
  const listening = new Promise((resolve) => {
    front.listen(0, 'localhost', () => {
      behind.start();
      resolve(server);
    });
  });
  const urlOf = () => `http://localhost:${/** @type {import('node:net').AddressInfo} */ (front.address()).port}/`;
  Object.defineProperties(server, {
    url: { get: urlOf },
    ready: { value: () => listening },
    close: { value: () => Promise.all([behind.end('destroy'), front.close()]) },
  });
}

Object.assign(globalThis, { __srvxLoader__: load });
