import { runBench } from '../scheduling/bench.js';
import { ssr } from './scenario.js';

await runBench({
  name: 'bench:ssr',
  description: 'Renders pages of React on Hono, and measures how long other requests wait meanwhile.',
  scenarios: { ssr },
});
