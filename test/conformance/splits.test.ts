import { expect, test } from '@jest/globals';
import { createRandom } from '../support/random.js';
import { cases, isValid } from './cases/index.js';
import { parse, parsers, type Way } from './parsing.js';

const valid = cases.filter((one) => isValid(one) && one.input.length <= 1_000);

const ways: Way[] = ['small', 'streamed', 'large'];

test.each(ways)('a valid request is the same wherever it is split (%s)', (way) => {
  expect(valid.length).toBeGreaterThan(80);
  for (const { rule, input } of valid) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = parse([bytes], way);
    for (let at = 1; at < bytes.length; at++) {
      expect([rule, at, parse([bytes.subarray(0, at), bytes.subarray(at)], way)]).toEqual([rule, at, whole]);
    }
  }
});

test.each(ways)('a valid request is the same however often it is split (%s)', (way) => {
  const random = createRandom();
  for (const { rule, input } of valid) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = parse([bytes], way);
    for (let round = 0; round < 20; round++) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + Math.floor(random() * random() * 40);
        pieces.push(bytes.subarray(at, at + length));
        at += length;
      }
      expect([rule, parse(pieces, way)]).toEqual([rule, whole]);
    }
  }
});

test('no parser leaks', () => {
  expect(parsers.open).toBe(0);
});
