import { holdup } from './holdup.js';
import { idle } from './idle.js';
import { memory } from './memory.js';
import { slow } from './slow.js';
import { streams } from './streams.js';

/** @type {Record<string, () => import('../../scheduling/scenario.js').Scenario>} */
export const SCENARIOS = { memory, idle, slow, holdup, streams };
