import underPressure from '@fastify/under-pressure';
import Fastify from 'fastify';
import { readSettings } from './settings.js';
import { answer } from './work.js';

/** The default checks once a second, which is too rare for a sudden load. */
const PRESSURE = { maxEventLoopDelay: 50, sampleInterval: 100, retryAfter: 1 };

/**
 * The Fastify app of all Fastify servers: no logger, no schema.
 * @param {(name: string, iterations: number) => unknown} [work] the work of a route
 */
export async function createFastify(work = answer) {
  const settings = readSettings();
  const app = Fastify();
  if (settings.underPressure) await app.register(underPressure, PRESSURE);
  for (const [name, iterations] of Object.entries(settings.iterations))
    app.get(`/${name}`, () => work(name, iterations));
  app.get('/livez', () => ({ status: 'ok' }));
  return app;
}

/** @param {Awaited<ReturnType<typeof createFastify>>} app */
export async function listen(app) {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return /** @type {import('node:net').AddressInfo} */ (app.server.address()).port;
}
