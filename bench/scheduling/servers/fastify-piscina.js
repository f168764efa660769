// A common combination: Fastify responds, and a pool of threads does the work.
import { Piscina } from 'piscina';
import { announce } from '../../http/servers/announce.js';
import { createFastify, listen } from './fastify-app.js';
import { answerQuestions, memory } from './questions.js';
import { readSettings } from './settings.js';

const { processes } = readSettings();
const filename = new URL('./piscina-worker.js', import.meta.url).href;
const pool = new Piscina({ filename, minThreads: processes, maxThreads: processes });
const app = await createFastify((name, iterations) => pool.run({ name, iterations }));
answerQuestions({ memory });
announce(await listen(app), app.version);
