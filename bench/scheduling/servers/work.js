import { pbkdf2Sync } from 'node:crypto';

/** Native work whose duration does not depend on how JavaScript was compiled. */

const KEY_BYTES = 32;

/** @param {number} iterations */
export function derive(iterations) {
  return pbkdf2Sync('password', 'salt', iterations, KEY_BYTES, 'sha256').toString('hex');
}

/**
 * Returns the response of the route `/name`, on every server.
 * @param {string} name
 * @param {number} iterations
 */
export function answer(name, iterations) {
  return { work: name, key: derive(iterations) };
}
