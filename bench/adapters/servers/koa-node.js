import { announce } from '../../http/servers/announce.js';
import app from './koa-app.js';
import { versionOf } from './version.js';

const server = app.listen(0, '127.0.0.1', () =>
  announce(/** @type {import('node:net').AddressInfo} */ (server.address()).port, versionOf('koa')),
);
