// Argument: the options of serve() as JSON.
import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from '../../http/servers/announce.js';
import { answerQuestions, memory } from './questions.js';

const options = JSON.parse(process.argv[2]);

const server = await serve(new URL('./loopshard-app.js', import.meta.url), { port: 0, ...options });
answerQuestions({ stats: () => server.stats(), memory });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, version, () => server.destroy());
