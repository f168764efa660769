import { Command, InvalidArgumentError } from 'commander';

/**
 * @typedef {object} Options
 * @property {string[]} scenarios
 * @property {number | undefined} rounds
 * @property {number | undefined} seconds
 * @property {string[] | undefined} only
 * @property {string} node
 * @property {string | undefined} json
 */

/**
 * A command that runs scenarios.
 * @typedef {object} BenchCommand
 * @property {string} name as in `npm run name`
 * @property {string} description
 * @property {Record<string, () => import('./scenario.js').Scenario>} scenarios
 */

const QUICK = { rounds: 1, seconds: 2 };

/**
 * @param {string[]} args
 * @param {BenchCommand} bench
 * @returns {Options}
 */
export function readOptions(args, { name, description, scenarios }) {
  const names = Object.keys(scenarios);
  const command = new Command(`npm run ${name} --`)
    .description(description)
    .argument('[scenario...]', `of ${names.join(', ')}; all by default`, collector(names))
    .option('--rounds <n>', "measured rounds after a warm-up round (default: the scenario's)", positiveInteger)
    .option('--seconds <n>', "length of each load (default: the scenario's)", positiveInteger)
    .option('--only <list>', 'IDs of servers or apps, separated by commas; an unknown ID lists all', list)
    .option('--node <path>', 'Node.js to run the servers with (default: this one)')
    .option('--quick', `short for --rounds ${QUICK.rounds} --seconds ${QUICK.seconds}, to test that it runs`)
    .option('--json <file>', 'file for the raw results')
    .parse(args, { from: 'user' });
  const { rounds, seconds, only, node = process.execPath, quick, json } = command.opts();
  const chosen = /** @type {string[]} */ (command.processedArgs[0]);
  return {
    scenarios: chosen.length > 0 ? chosen : names,
    rounds: rounds ?? (quick ? QUICK.rounds : undefined),
    seconds: seconds ?? (quick ? QUICK.seconds : undefined),
    only,
    node,
    json,
  };
}

/**
 * @param {string[]} names
 * @returns {(value: string, before?: string[]) => string[]}
 */
function collector(names) {
  return (value, before = []) => {
    if (names.includes(value)) return [...before, value];
    throw new InvalidArgumentError(`Known: ${names.join(', ')}.`);
  };
}

/** @param {string} value */
export function positiveInteger(value) {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It must be a whole number of at least 1.');
}

/** @param {string} value */
export function list(value) {
  return value.split(',').map((part) => part.trim());
}
