import { Command, InvalidArgumentError } from 'commander';
import { list, positiveInteger } from './options.js';
import { CORES } from './variants.js';

/**
 * @typedef {object} SweepOptions
 * @property {number[]} shards
 * @property {number[]} batch
 * @property {number[]} permits
 * @property {number[]} connections
 * @property {number} work milliseconds of native work in each handler
 * @property {number} rounds
 * @property {number} seconds
 * @property {string | undefined} json
 */

/**
 * @param {string[]} args
 * @returns {SweepOptions}
 */
export function readSweepOptions(args) {
  const command = new Command('npm run bench:sweep --')
    .description('Loads LoopShard with every combination of shards, batch, permits and connections.')
    .option('--shards <list>', 'numbers of shards, separated by commas', integers, [...new Set([1, CORES])])
    .option('--batch <list>', 'maximum number of requests claimed at once', integers, [64, 128, 256])
    .option('--permits <list>', 'maximum number of handlers in flight on each shard', integers, [256, 512, 1_024])
    .option('--connections <list>', 'open connections', integers, [50, 100, 200, 500])
    .option('--work <ms>', 'native work in each handler, up to 1,000 ms; 0 for a small object', milliseconds, 0)
    .option('--rounds <n>', 'rounds, every other one in reverse order', positiveInteger, 1)
    .option('--seconds <n>', 'length of each load', positiveInteger, 2)
    .option('--json <file>', 'file for the raw results');
  return command.parse(args, { from: 'user' }).opts();
}

/** @param {string} value */
function integers(value) {
  return [...new Set(list(value).map(positiveInteger))];
}

/** @param {string} value */
function milliseconds(value) {
  const number = Number(value);
  if (value.trim() !== '' && number >= 0 && number <= 1_000) return number;
  throw new InvalidArgumentError('It must be a number from 0 to 1,000.');
}
