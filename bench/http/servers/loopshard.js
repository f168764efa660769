import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from './announce.js';

const SHARDS = 1;

/** Which app: `loopshard-app.js`, or what the argument names. */
const app = process.argv[2] ?? 'loopshard-app.js';

const server = await serve(new URL(app, import.meta.url), { port: 0, shards: SHARDS });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, `${version} (${SHARDS} shard)`, () => server.close());
