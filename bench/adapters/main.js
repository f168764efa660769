import { runBench } from '../scheduling/bench.js';
import { SCENARIOS } from './scenarios/index.js';

await runBench({
  name: 'bench:adapters',
  description: 'Compares apps of other frameworks on shards with the same apps on their usual servers for Node.js.',
  scenarios: SCENARIOS,
});
