import { BODY } from '../http/servers/workload.js';

export const LOOPSHARD = 'loopshard';

/**
 * @param {string} id
 * @param {string} title
 * @returns {import('../scheduling/variants.js').Variant}
 */
function variant(id, title) {
  const file = new URL(`./servers/${id}.js`, import.meta.url).href;
  return { peer: { id, title, file, args: [], body: BODY, skips: [] }, settings: {}, isLoopShard: id === LOOPSHARD };
}

export const VARIANTS = [
  variant(LOOPSHARD, 'LoopShard, 1 shard'),
  variant('node-http', 'node:http'),
  variant('fastify', 'Fastify'),
];
