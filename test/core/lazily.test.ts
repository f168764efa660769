import { expect, test } from '@jest/globals';
import { lazily } from '../../build/src/core/lazily.js';

test('names a missing dependency, as in a bundled app', () => {
  const load = lazily('no-such-dependency');
  expect(load).toThrow(
    expect.objectContaining({
      code: 'RUNTIME_UNSUPPORTED',
      message: expect.stringContaining('Cannot load no-such-dependency, which the package loopshard needs.'),
    }),
  );
});

test('loads a dependency once, on first use', () => {
  const load = lazily<{ name: string }>('../../../package.json');
  expect(load().name).toBe('loopshard');
  expect(load()).toBe(load());
});
