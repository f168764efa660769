import { BROWSER_HEADERS } from '../http/servers/workload.js';
import { seededRandom } from './generator/schedule.js';

const TENANTS = 64;

/** The header that dispatch by key uses. It is sent to every server. */
export const TENANT_FIELD = 'x-tenant';

/**
 * A kind of request for the load generator: browser-like fields, and one of 64 tenants.
 * @param {string} name of the kind, and of the path unless given
 * @param {{ weight?: number, path?: string }} [options]
 * @returns {import('./generator/stream.js').Kind}
 */
export function kind(name, { weight = 1, path = `/${name}` } = {}) {
  const random = seededRandom(TENANTS);
  const fields = Object.entries({ host: '127.0.0.1', ...BROWSER_HEADERS });
  const requests = Array.from({ length: TENANTS }, () => {
    const tenant = Math.floor(random() * 2 ** 32).toString(16);
    const lines = [...fields, [TENANT_FIELD, tenant]].map(([field, value]) => `${field}: ${value}\r\n`);
    return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
  });
  return { name, weight, requests };
}
