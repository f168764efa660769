import { describe, expect, test } from '@jest/globals';
import { SCENARIOS as ADAPTERS } from '../bench/adapters/scenarios/index.js';
import { SCENARIOS as CONNECTIONS } from '../bench/connections/scenarios/index.js';
import { readOptions } from '../bench/scheduling/options.js';
import { SCENARIOS as SCHEDULING } from '../bench/scheduling/scenarios/index.js';

describe.each([
  ['bench:adapters', ADAPTERS],
  ['bench:scheduling', SCHEDULING],
  ['bench:connections', CONNECTIONS],
])('%s', (name, scenarios) => {
  const bench = { name, description: '', scenarios };
  const names = Object.keys(scenarios);

  test('runs all scenarios by default', () => {
    expect(readOptions([], bench).scenarios).toEqual(names);
    expect(readOptions(['--quick', names[1], names[0]], bench)).toMatchObject({
      scenarios: [names[1], names[0]],
      rounds: 1,
      seconds: 2,
    });
  });
});
