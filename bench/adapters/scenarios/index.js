import { heavy } from './heavy.js';
import { oneShard, twoShards } from './throughput.js';

/** @type {Record<string, () => import('../../scheduling/scenario.js').Scenario>} */
export const SCENARIOS = { 'one-shard': oneShard, 'two-shards': twoShards, heavy };
