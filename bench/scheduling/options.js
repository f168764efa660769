import { Command, InvalidArgumentError } from 'commander';
import { SCENARIOS } from './scenarios/index.js';

/**
 * @typedef {object} Options
 * @property {string[]} scenarios
 * @property {number | undefined} rounds
 * @property {number | undefined} seconds
 * @property {string[] | undefined} only
 * @property {string | undefined} json
 */

const QUICK = { rounds: 1, seconds: 2 };

/**
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const names = Object.keys(SCENARIOS);
  const command = new Command('npm run bench:scheduling --')
    .description(
      'Shows how LoopShard shares out work that is more than it seems, beside other servers on this machine.',
    )
    .argument('[scenario...]', `of ${names.join(', ')}; all by default`, collectScenario)
    .option('--rounds <n>', "rounds that count, after one that warms up (default: the scenario's)", positiveInteger)
    .option('--seconds <n>', "length of each load (default: the scenario's)", positiveInteger)
    .option('--only <list>', 'servers by their ids, separated by commas; an unknown one has them all listed', list)
    .option(
      '--quick',
      `short for --rounds ${QUICK.rounds} --seconds ${QUICK.seconds}: shows that it runs, not how fast`,
    )
    .option('--json <file>', 'writes the raw results there')
    .parse(args, { from: 'user' });
  const { rounds, seconds, only, quick, json } = command.opts();
  const chosen = /** @type {string[] | undefined} */ (command.processedArgs[0]);
  return {
    scenarios: chosen ?? names,
    rounds: rounds ?? (quick ? QUICK.rounds : undefined),
    seconds: seconds ?? (quick ? QUICK.seconds : undefined),
    only,
    json,
  };
}

/**
 * @param {string} value
 * @param {string[]} [before]
 */
function collectScenario(value, before = []) {
  if (Object.hasOwn(SCENARIOS, value)) return [...before, value];
  throw new InvalidArgumentError(`There are ${Object.keys(SCENARIOS).join(', ')}.`);
}

/** @param {string} value */
export function positiveInteger(value) {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It takes whole numbers from 1 on.');
}

/** @param {string} value */
export function list(value) {
  return value.split(',').map((part) => part.trim());
}
