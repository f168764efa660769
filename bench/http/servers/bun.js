// Runs under Bun only: a native server for comparison with the JavaScript ones.
import { announce } from './announce.js';
import { CONTENT_TYPE, MESSAGE } from './workload.js';

const { Bun } = /** @type {any} */ (globalThis);

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: () => Response.json({ message: MESSAGE.message }, { headers: { 'content-type': CONTENT_TYPE } }),
});
announce(server.port, Bun.version);
