import { adaptive } from './adaptive.js';
import { cpu } from './cpu.js';
import { health } from './health.js';
import { mixed } from './mixed.js';
import { neighbour } from './neighbour.js';
import { nice } from './nice.js';
import { overload } from './overload.js';

/** @type {Record<string, () => import('../scenario.js').Scenario>} */
export const SCENARIOS = { cpu, mixed, overload, neighbour, health, nice, adaptive };
