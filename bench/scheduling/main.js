import { runBench } from './bench.js';
import { SCENARIOS } from './scenarios/index.js';

await runBench({
  name: 'bench:scheduling',
  description: 'Shows how LoopShard shares out work that is more than it seems, beside other servers on this machine.',
  scenarios: SCENARIOS,
});
