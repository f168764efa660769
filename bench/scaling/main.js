/*
 * npm run bench:scaling: predicts the performance of LoopShard with several HTTP threads on machines with many cores, compared with a
 * Fastify cluster. It simulates the real dispatch code in virtual time; docs/scaling.md lists the assumptions.
 */
import { writeFileSync } from 'node:fs';
import { endChildrenOnExit } from '../http/children.js';
import { BenchError } from '../http/errors.js';
import { checkModel } from './check.js';
import { readOptions } from './options.js';
import { describeMachine, describeRules } from './report.js';
import { runMachine } from './run.js';

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

/** @param {import('./options.js').Options} options */
function runSimulations(options) {
  const { cores, costs, seed, generatorOnMachine, roundTripUs, json } = options;
  const clients = generatorOnMachine
    ? 'one thread on the same machine'
    : `on other machines, with a round trip of ${roundTripUs} µs`;
  print(`seed      ${seed}\nclients   ${clients}\n`);
  const results = [];
  for (const machine of cores) {
    const ofMachine = runMachine(options, machine);
    results.push(...ofMachine);
    print(`${describeMachine(machine, ofMachine)}\n`);
  }
  print(
    `Requests/s by each rule over those of the cluster with connections spread evenly; one figure for each number of connections.\n`,
  );
  print(describeRules(results));
  if (json) writeFileSync(json, `${JSON.stringify({ seed, costs, results }, null, 2)}\n`);
}

/** @param {import('./options.js').Options} options */
async function check({ costs, seed, json }) {
  const { table, notes, measured } = await checkModel(seed, costs);
  print(`seed      ${seed}\n\n${table}${notes ? `\n\n${notes}` : ''}`);
  if (json) writeFileSync(json, `${JSON.stringify({ seed, costs, measured }, null, 2)}\n`);
}

endChildrenOnExit();
try {
  const options = readOptions(process.argv.slice(2));
  if (options.check) await check(options);
  else runSimulations(options);
} catch (error) {
  process.stderr.write(`\n${error instanceof BenchError ? error.message : /** @type {Error} */ (error).stack}\n`);
  process.exit(1);
}
