import { runBench } from './bench.js';
import { SCENARIOS } from './scenarios/index.js';

await runBench({
  name: 'bench:scheduling',
  description: 'Compares how LoopShard and other servers schedule CPU-bound and overloaded work on this machine.',
  scenarios: SCENARIOS,
});
