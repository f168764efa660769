import { runBench } from '../scheduling/bench.js';
import { SCENARIOS } from './scenarios/index.js';

await runBench({
  name: 'bench:connections',
  description: 'Shows what many connections cost, idle and slow ones, beside other servers on this machine.',
  scenarios: SCENARIOS,
});
