import { CERTIFICATE } from './certificate.js';
import { createFastify as create } from './fastify-app.js';

/** The plain Fastify app with TLS. */
export function createFastify() {
  return create({ https: CERTIFICATE });
}
