import { expect, test } from '@jest/globals';
import { Campaign } from './fuzz/campaign.js';
import { createRandom } from './support/random.js';

const ROUNDS = 5;

test('a server that gets mutated requests responds or closes every connection, and loses nothing', async () => {
  const campaign = new Campaign(createRandom());
  await campaign.start();
  for (let round = 0; round < ROUNDS; round++) await campaign.round();
  expect(campaign.connections).toBe(1_000);
  for (const status of [200, 400, 501]) expect(campaign.statuses.get(status)).toBeGreaterThan(0);
  await campaign.server.close();
}, 180_000);
