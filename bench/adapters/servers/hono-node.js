import { serve } from '@hono/node-server';
import { announce } from '../../http/servers/announce.js';
import { versionOf } from './version.js';

/** Argument: URL of the app. */
const { default: app } = await import(process.argv[2]);
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
  announce(port, versionOf('@hono/node-server')),
);
