import { expect, test } from '@jest/globals';
import { compareRandomDoubles, DoubleComparison } from '../json/doubles.js';
import { Random, SEED } from '../json/random.js';

test('prints 10 million random doubles as JSON.stringify does', () => {
  const random = new Random(SEED);
  const comparison = new DoubleComparison();
  compareRandomDoubles(comparison, () => random.double(), 10_000_000);
  expect(comparison.differences).toEqual([]);
  expect(comparison.checked).toBe(10_000_000);
}, 180_000);
