// `npm run test:fuzz -- --minutes 10 --seed 1`
import { Command, InvalidArgumentError } from 'commander';
import { mulberry32 } from '../support/mulberry.js';
import { Campaign } from './campaign.js';

/** @param {string} text */
function number(text) {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number.');
}

const { minutes, seed } = new Command('test:fuzz')
  .description('Sends mutated requests to a server and checks that it responds correctly and leaks nothing.')
  .option('--minutes <number>', 'duration in minutes', number, 10)
  .option('--seed <number>', 'seed of the random mutations', number, Date.now() % 2 ** 31)
  .parse()
  .opts();

console.log(`seed ${seed}, ${minutes} min`);
const campaign = new Campaign(mulberry32(seed));
await campaign.start();
const end = performance.now() + minutes * 60_000;
while (performance.now() < end) await campaign.round();
await campaign.server.destroy();
const statuses = [...campaign.statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
console.log(
  `${campaign.connections} connections, all of them ended, nothing leaked; responses by status: ${statuses.join(', ')}`,
);
