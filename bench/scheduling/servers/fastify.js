import { announce } from '../../http/servers/announce.js';
import { createFastify, listen } from './fastify-app.js';
import { answerQuestions, memory } from './questions.js';

const app = await createFastify();
answerQuestions({ memory });
announce(await listen(app), app.version);
