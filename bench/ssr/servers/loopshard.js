// Arguments as JSON: the file of the app, the options of serve().
import { createRequire } from 'node:module';
import { serve } from 'loopshard';
import { announce } from '../../http/servers/announce.js';
import { answerQuestions, memory } from '../../scheduling/servers/questions.js';

const [file, options] = process.argv.slice(2).map((argument) => JSON.parse(argument));
const server = await serve(new URL(`../../../examples/ssr/${file}`, import.meta.url), { port: 0, ...options });
answerQuestions({ stats: () => server.stats(), memory });
const { version } = createRequire(import.meta.url)('loopshard/package.json');
announce(server.address().port, version, () => server.destroy());
