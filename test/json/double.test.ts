import { describe, expect, test } from '@jest/globals';
import { addNeighbours, compareRandomDoubles, DoubleComparison } from './doubles.js';
import { Random, SEED } from './random.js';

/** test/stress/json-double.test.ts runs 10 million. */
const COUNT = Number(process.env.JSON_DOUBLES ?? 500_000);

function compare(fill: (comparison: DoubleComparison) => void): void {
  const comparison = new DoubleComparison();
  fill(comparison);
  comparison.flush();
  expect(comparison.differences.slice(0, 10)).toEqual([]);
  expect(comparison.checked).toBeGreaterThan(0);
}

describe('doubles are printed as JSON.stringify prints them', () => {
  test('every power of two and its neighbours', () => {
    compare((comparison) => {
      for (let exponent = -1074; exponent <= 1023; exponent++) addNeighbours(comparison, 2 ** exponent, 3);
    });
  });

  test('every power of ten and its neighbours', () => {
    compare((comparison) => {
      for (let exponent = -324; exponent <= 308; exponent++) addNeighbours(comparison, Number(`1e${exponent}`), 3);
    });
  });

  test('NaN and infinities, zeros, extremes and the borders between the notations', () => {
    const borders = [
      0,
      -0,
      Number.NaN,
      Infinity,
      -Infinity,
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      2 ** 53,
      1e21,
      1e-6,
      1e-7,
    ];
    compare((comparison) => {
      for (const value of borders) addNeighbours(comparison, value, 40);
    });
  });

  test('subnormal numbers', () => {
    const random = new Random(SEED);
    const float = new Float64Array(1);
    const bits = new BigUint64Array(float.buffer);
    compare((comparison) => {
      for (let i = 0; i < 50_000; i++) {
        bits[0] = random.bits() >> BigInt(12 + random.below(52));
        comparison.add(float[0]);
      }
    });
  });

  test('random bit patterns', () => {
    const random = new Random(SEED);
    compare((comparison) => compareRandomDoubles(comparison, () => random.double(), COUNT));
  });

  test('short decimals, integers and 32-bit floats', () => {
    const random = new Random(SEED);
    compare((comparison) => {
      for (let i = 0; i < 100_000; i++) {
        const decimals = 10 ** random.below(9);
        comparison.add(random.below(10 ** (1 + random.below(15))) / decimals);
        comparison.add(i / 100);
        comparison.add(-random.below(2 ** 53));
        comparison.add(random.below(2 ** 53) * 2 ** random.below(60));
        comparison.add(Math.fround(random.double()));
        // Products with few or no decimal places.
        comparison.add((1 + random.below(2 ** 20)) / 2 ** random.below(40));
      }
    });
  });
});
