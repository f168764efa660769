import { connections } from './connections.js';
import { fields } from './fields.js';
import { framing } from './framing.js';
import { requestLine } from './request-line.js';
import { targets } from './targets.js';

/** @typedef {import('./case.js').Case} Case */

/**
 * All cases by subject.
 * @type {Record<string, Case[]>}
 */
export const groups = {
  'Request line and version': requestLine,
  'Request target and query': targets,
  'Host and other fields': fields,
  'Length, transfer coding, chunks': framing,
  'Connections, expectations, methods': connections,
};

/** @type {Case[]} */
export const cases = Object.values(groups).flat();

/** @param {Case} one */
export const isValid = (one) => one.answers.every((status) => status < 400 || status === 404 || status === 405);
