import { writeFileSync } from 'node:fs';
import { endChildrenOnExit } from '../http/children.js';
import { BenchError } from '../http/errors.js';
import { startGenerator } from './generator-process.js';
import { readOptions } from './options.js';
import { runScenario } from './scenario.js';
import { namesOf } from './variants.js';

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

/**
 * Runs a bench from the command line, and ends the process if it fails.
 * @param {import('./options.js').BenchCommand} bench
 */
export async function runBench(bench) {
  endChildrenOnExit();
  try {
    await run(bench, readOptions(process.argv.slice(2), bench));
  } catch (error) {
    process.stderr.write(`\n${error instanceof BenchError ? error.message : /** @type {Error} */ (error).stack}\n`);
    process.exit(1);
  }
}

/**
 * @param {import('./options.js').BenchCommand} bench
 * @param {import('./options.js').Options} options
 */
async function run(bench, { scenarios: names, json, ...options }) {
  const scenarios = names.map((name) => bench.scenarios[name]());
  checkOnly(scenarios, options.only ?? []);
  const generator = await startGenerator();
  const results = [];
  for (const scenario of scenarios) {
    if (results.length > 0) print('\n');
    results.push(await runScenario(scenario, generator, options, print));
    // After each scenario, because a complete run takes long.
    if (json) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  }
  generator.stop();
}

/**
 * @param {import('./scenario.js').Scenario[]} scenarios
 * @param {string[]} only
 */
function checkOnly(scenarios, only) {
  const known = new Set(scenarios.flatMap(({ variants }) => variants.flatMap(namesOf)));
  const unknown = only.find((id) => !known.has(id));
  if (unknown !== undefined)
    throw new BenchError(`Unknown value "${unknown}" of --only. Known: ${[...known].join(', ')}.`);
}
