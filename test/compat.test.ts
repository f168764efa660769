import { describe, expect, test } from '@jest/globals';
import type { Results, Status } from './compat/runners.js';
import { compare } from './compat/verdict.js';

const results = (statuses: Record<string, Status>): Results =>
  new Map(Object.entries(statuses).map(([title, status]) => [title, { status, error: `${title} has ${status}` }]));

describe('the verdict of a suite', () => {
  test('a test that passes only on node:http is unexplained', () => {
    const verdict = compare(
      results({ both: 'passed', lost: 'passed', neither: 'failed', gained: 'failed', skipped: 'skipped' }),
      results({ both: 'passed', lost: 'failed', neither: 'failed', gained: 'passed', skipped: 'skipped' }),
      [],
    );
    expect(verdict).toEqual({
      tests: 4,
      onNode: 2,
      onShards: 2,
      explained: [],
      unexplained: [{ title: 'lost', error: 'lost has failed' }],
      outdated: [],
    });
  });

  test('a test that did not run on LoopShard is unexplained', () => {
    const { unexplained } = compare(results({ gone: 'passed' }), results({}), []);
    expect(unexplained).toEqual([{ title: 'gone', error: 'did not run' }]);
  });

  test('a known difference has its reason, and is outdated if the test passes', () => {
    const known = [{ suite: 'x', reason: 'why', tests: ['lost', 'found', 'neither', 'skipped'] }];
    const verdict = compare(
      results({ lost: 'passed', found: 'passed', neither: 'failed', skipped: 'skipped' }),
      results({ lost: 'failed', found: 'passed', neither: 'failed', skipped: 'skipped' }),
      known,
    );
    expect(verdict.explained).toEqual([{ title: 'lost', reason: 'why' }]);
    expect(verdict.unexplained).toEqual([]);
    // The others show nothing.
    expect(verdict.outdated).toEqual(['found']);
  });

  test('a known difference of a test that is gone is outdated', () => {
    expect(compare(results({}), results({}), [{ suite: 'x', reason: 'why', tests: ['gone'] }]).outdated).toEqual([
      'gone',
    ]);
  });
});
