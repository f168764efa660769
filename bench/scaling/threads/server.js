// Argument: the options of serve() as JSON. The roles of threads are recorded in the directory THREAD_ROLES.
import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from '../../http/servers/announce.js';

const options = JSON.parse(process.argv[2]);
const server = await serve(new URL('./app.js', import.meta.url), {
  port: 0,
  httpModule: new URL('./http-module.js', import.meta.url),
  ...options,
});
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, version, () => server.close());
