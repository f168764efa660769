import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from './announce.js';

const SHARDS = 1;

const server = await serve(new URL('./loopshard-app.js', import.meta.url), { port: 0, shards: SHARDS });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, `${version} (${SHARDS} shard)`, () => server.close());
