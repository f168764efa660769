import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { CoreMemory } from 'loopshard/core';
import { compileWriter } from 'loopshard/json';
import { type Form, Models } from './models.js';
import { Random, SEED } from './random.js';

/** JSON_VALUES=1000000 runs a million values. */
const VALUES = Number(process.env.JSON_VALUES ?? 2_000);
const VALUES_OF_A_SCHEMA = 20;
const SCHEMAS_FOR_AJV = 500;
/** By schema number: forms that random choices would produce too rarely. All other schemas have a random form. */
const FORMS = new Map<number, Form>([
  [0, 'wide'],
  [1, 'deep'],
]);

describe('schemas of every form', () => {
  test(`${VALUES} values come back with exactly what the schema admits, from both lanes and any region`, async () => {
    const random = new Random(SEED);
    const core = CoreMemory.create(8 << 20);
    const start = core.allocate(1 << 16);
    const differences: unknown[] = [];
    let schemas = 0;
    const reach = { deepest: 0, widest: 0 };
    for (let count = 0; count < VALUES; ) {
      const { schema, sample } = new Models(random).document(4, FORMS.get(schemas++ % 40));
      const wasm = compileWriter(schema, { lane: 'wasm' });
      const v8 = compileWriter(schema, { lane: 'v8' });
      for (let i = 0; i < VALUES_OF_A_SCHEMA; i++, count++) {
        const { value, kept } = sample();
        const expected = JSON.parse(JSON.stringify(kept));
        const limit = start + random.below(2) * random.below(1 << 16);
        const end = wasm.writeOrSpill(core, start, Math.max(start, limit), value as never);
        const texts = [
          Buffer.from(wasm.toBytes(value as never)).toString(),
          Buffer.from(v8.toBytes(value as never)).toString(),
          typeof end === 'number' ? core.bytes.toString('utf8', start, end) : Buffer.from(end).toString(),
        ];
        const parsed = JSON.parse(texts[0]);
        measure(parsed, reach);
        // Byte for byte what JSON.stringify writes for the value in this order, for every way of writing.
        const isSame = texts.every((text) => text === JSON.stringify(parsed)) && isDeepStrictEqual(parsed, expected);
        if (!isSame)
          differences.push({
            schema: JSON.stringify(schema).slice(0, 3000),
            texts,
            expected: JSON.stringify(expected),
          });
      }
      // Otherwise the plain lane would have been compared with itself.
      expect(wasm.explain().lane).toBe('wasm');
      // Gives the garbage collector a chance to free the memory of constants.
      await setImmediate();
    }
    expect(differences.slice(0, 2)).toEqual([]);
    expect(reach.widest).toBeGreaterThan(300);
    expect(reach.deepest).toBeGreaterThan(50);
  }, 3_600_000);

  test('come with values that ajv finds valid', () => {
    const random = new Random(SEED);
    const invalid: unknown[] = [];
    for (let count = 0; count < SCHEMAS_FOR_AJV; count++) {
      const { schema, sample } = new Models(random).document(2);
      // NaN is a number but is written as null.
      const ajv = new Ajv2020({
        strict: false,
        strictNumbers: false,
        validateFormats: false,
        code: { optimize: false },
      });
      const validate = ajv.compile(schema);
      for (let i = 0; i < VALUES_OF_A_SCHEMA; i++) {
        const value = dataOf(sample().value);
        if (!validate(value)) invalid.push({ schema: JSON.stringify(schema), value: JSON.stringify(value) });
      }
    }
    expect(invalid.slice(0, 2)).toEqual([]);
  }, 120_000);
});

/** Records the depth and width of values. */
function measure(value: unknown, reach: { deepest: number; widest: number }, level = 0): void {
  reach.deepest = Math.max(reach.deepest, level);
  if (typeof value !== 'object' || value === null) return;
  const parts = Object.values(value);
  reach.widest = Math.max(reach.widest, parts.length);
  for (const part of parts) measure(part, reach, level + 1);
}

/** The value as a validator sees it: plain objects, no `toJSON`. */
function dataOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(dataOf);
  const { toJSON } = value as { toJSON?: () => unknown };
  if (toJSON !== undefined) return dataOf(toJSON.call(value));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, dataOf(part)]));
}
