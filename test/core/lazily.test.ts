import { expect, test } from '@jest/globals';
import { lazily } from '../../build/src/core/lazily.js';

test('a dependency that is not there, as in an app that was bundled, is named', () => {
  const load = lazily('no-such-dependency');
  expect(load).toThrow(
    expect.objectContaining({
      code: 'RUNTIME_UNSUPPORTED',
      message: expect.stringContaining('Cannot load no-such-dependency, which the package loopshard needs.'),
    }),
  );
});

test('a dependency is loaded by its first use, once', () => {
  const load = lazily<{ name: string }>('../../../package.json');
  expect(load().name).toBe('loopshard');
  expect(load()).toBe(load());
});
