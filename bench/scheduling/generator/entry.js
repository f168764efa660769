// The load generator's process: receives a plan as a message and sends back the result.
import { runLoad } from './load.js';

process.on('message', async (/** @type {import('./load.js').LoadPlan} */ plan) => {
  try {
    process.send?.({ result: await runLoad(plan) });
  } catch (error) {
    process.send?.({ error: /** @type {Error} */ (error).message });
  }
});
process.once('disconnect', () => process.exit(0));
