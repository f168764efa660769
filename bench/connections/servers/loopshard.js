import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from '../../http/servers/announce.js';
import { answerBench } from './questions.js';

const server = await serve(new URL('./loopshard-app.js', import.meta.url), { port: 0, shards: 1, health: true });
answerBench({ stats: () => server.stats(), connections: () => server.stats().connections });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, version, () => server.destroy());
