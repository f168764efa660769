import { readFileSync } from 'node:fs';

/**
 * The version of an installed package, which may not export its package.json.
 * @param {string} name
 * @returns {string}
 */
export function versionOf(name) {
  const file = new URL(`../../../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
