import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { noteThread } from '../thread-roles.js';
import { announce } from './announce.js';

/** Arguments: the app, and the options of serve() as JSON. */
const [app = 'loopshard-app.js', given = '{"shards":1}'] = process.argv.slice(2);
const options = JSON.parse(given);

noteThread('HTTP thread');
const server = await serve(new URL(app, import.meta.url), { port: 0, ...options });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, `${version} (${options.shards} shard${options.shards > 1 ? 's' : ''})`, () =>
  server.close(),
);
