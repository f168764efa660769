import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CoreMemory } from 'loopshard/core';
import { compileWriter, type JsonSchemaObject } from 'loopshard/json';
import { SEED } from './random.js';
import { ordered } from './reference.js';

const BYTES = 1 << 20;
const CANARY = 0xa5;
const core = CoreMemory.create(64 << 20);
const target = core.allocate(BYTES);

interface Example {
  schema: JsonSchemaObject;
  value: unknown;
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
  fc.array(fc.integer({ min: 0xd700, max: 0xe0ff }), { maxLength: 6 }).map((units) => String.fromCharCode(...units)),
);

const scalar: fc.Arbitrary<Example> = fc.oneof(
  text.map((value) => ({ schema: { type: 'string' }, value })),
  fc.double().map((value) => ({ schema: { type: 'number' }, value })),
  fc.maxSafeInteger().map((value) => ({ schema: { type: 'integer' }, value })),
  fc.integer().map((value) => ({ schema: { type: 'number' }, value })),
  fc.boolean().map((value) => ({ schema: { type: 'boolean' }, value })),
  fc.constant({ schema: { type: 'null' }, value: null }),
  fc.jsonValue().map((value) => ({ schema: {}, value })),
  fc.date({ noInvalidDate: true }).map((value) => ({ schema: { type: 'string', format: 'date-time' }, value })),
  fc.constantFrom('a', 'b', 3, null, true).map((value) => ({ schema: { enum: ['a', 'b', 3, null, true] }, value })),
  text.map((value) => ({ schema: { const: value }, value })),
  fc.oneof(text, fc.constant(null)).map((value) => ({ schema: { type: ['string', 'null'] }, value })),
  fc.oneof(text, fc.double(), fc.boolean()).map((value) => ({
    schema: { anyOf: [{ type: 'boolean' }, { type: 'number' }, { type: 'string' }] },
    value,
  })),
  fc.oneof(text, fc.double(), fc.constant(undefined)).map((value) => ({ schema: {}, value: [value, { value }] })),
);

const key = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'length', '1', '0'),
);

function objectOf(fields: [string, Example, boolean, boolean][], extra: boolean): Example {
  const properties: Record<string, unknown> = {};
  const value: Record<string, unknown> = {};
  const define = (on: object, name: string, what: unknown) =>
    Object.defineProperty(on, name, { value: what, enumerable: true, configurable: true, writable: true });
  const required: string[] = [];
  for (const [name, example, isRequired, present] of fields) {
    define(properties, name, example.schema);
    if (isRequired) required.push(name);
    if (isRequired || present) define(value, name, example.value);
  }
  if (extra) value['not in the schema'] = 1;
  return { schema: { type: 'object', properties, required }, value };
}

const { example } = fc.letrec<{ example: Example }>((tie) => ({
  example: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc
      .tuple(
        fc.uniqueArray(fc.tuple(key, tie('example'), fc.boolean(), fc.boolean()), {
          selector: ([name]) => name,
          maxLength: 6,
        }),
        fc.boolean(),
      )
      .map(([fields, extra]) => objectOf(fields, extra)),
    fc.tuple(tie('example'), fc.nat(4)).map(([item, count]) => ({
      schema: { type: 'array', items: item.schema },
      value: Array.from({ length: count }, () => item.value),
    })),
    fc
      .array(fc.double(), { maxLength: 20 })
      .map((value) => ({ schema: { type: 'array', items: { type: 'number' } }, value })),
    fc
      .array(fc.integer(), { maxLength: 20 })
      .map((value) => ({ schema: { type: 'array', items: { type: 'integer' } }, value })),
    fc.array(tie('example'), { maxLength: 4 }).map((items) => ({
      schema: { type: 'array', prefixItems: items.map((item) => item.schema) },
      value: items.map((item) => item.value),
    })),
    fc.dictionary(fc.string(), fc.double(), { maxKeys: 4, noNullPrototype: true }).map((value) => ({
      schema: { type: 'object', additionalProperties: { type: 'number' } },
      value,
    })),
  ),
}));

// An untyped undefined at the top level or as a required property is a mismatch, so it is not compared.
const defined = example.filter(({ schema, value }) => JSON.stringify(ordered(schema, value)) !== undefined);

describe('a compiled writer writes what JSON.stringify writes', () => {
  for (const lane of ['wasm', 'v8'] as const) {
    test(`for schemas and values of any form, lane ${lane}`, () => {
      fc.assert(
        fc.property(defined, ({ schema, value }) => {
          const writer = compileWriter(schema, { lane });
          const expected = JSON.stringify(ordered(schema, value));
          expect(Buffer.from(writer.toBytes(value)).toString()).toBe(expected);
          const end = writer.write(core, target, target + BYTES, value);
          expect(core.bytes.toString('utf8', target, end)).toBe(expected);
        }),
        { seed: SEED, numRuns: 1500 },
      );
    });
  }

  test('writes nothing at or past the limit, wherever it is', () => {
    fc.assert(
      fc.property(defined, fc.nat(64), ({ schema, value }, less) => {
        const writer = compileWriter(schema, { lane: 'wasm' });
        const size = Buffer.byteLength(JSON.stringify(ordered(schema, value)));
        for (const room of [size, size - 1, Math.max(0, size - less), size + less]) {
          const start = target + 128;
          core.bytes.fill(CANARY, start - 64, start + room + 128);
          const end = writer.write(core, start, start + room, value);
          expect(end).toBe(room < size ? 0 : start + size);
          expect(core.bytes.subarray(start - 64, start).every((byte) => byte === CANARY)).toBe(true);
          expect(core.bytes.subarray(start + room, start + room + 128).every((byte) => byte === CANARY)).toBe(true);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});
