import { serve } from 'srvx';
import { announce } from '../../http/servers/announce.js';
import { versionOf } from './version.js';

/** Argument: URL of the app. */
const { default: app } = await import(process.argv[2]);
const server = await serve({
  fetch: (request) => app.fetch(request),
  port: 0,
  hostname: '127.0.0.1',
  silent: true,
}).ready();
announce(Number(new URL(/** @type {string} */ (server.url)).port), versionOf('srvx'));
