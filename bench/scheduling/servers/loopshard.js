// Arguments: the options of serve() as JSON, and the URL of the app.
import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from '../../http/servers/announce.js';
import { noteThread } from '../../http/thread-roles.js';
import { answerQuestions, memory } from './questions.js';

const [options, app] = process.argv.slice(2);

noteThread('HTTP thread');
const server = await serve(new URL(app), { port: 0, ...JSON.parse(options) });
answerQuestions({ stats: () => server.stats(), memory });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, version, () => server.destroy());
