import { serve } from '@hono/node-server';
import { announce } from '../../http/servers/announce.js';
import app from './hono-app.js';
import { versionOf } from './version.js';

serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
  announce(port, versionOf('@hono/node-server')),
);
