import { runBench } from '../scheduling/bench.js';
import { SCENARIOS } from './scenarios/index.js';

await runBench({
  name: 'bench:connections',
  description: 'Compares the cost of many idle and slow connections for LoopShard and other servers on this machine.',
  scenarios: SCENARIOS,
});
