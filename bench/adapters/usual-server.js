import { otherServer } from '../scheduling/variants.js';

const FILE = new URL('./servers/usual.js', import.meta.url).href;

/**
 * An app on the usual server of its framework for Node.js.
 * @param {string} id
 * @param {string} title
 * @param {string} framework its package
 * @param {string} module URL of the app
 * @param {number} processes with several, in a cluster
 * @returns {import('../scheduling/variants.js').Variant}
 */
export function usualServer(id, title, framework, module, processes) {
  const variant = otherServer(id, title, FILE, [framework, module, `${processes}`]);
  return { ...variant, peer: { ...variant.peer, product: framework } };
}
