import { describe, expect, test } from '@jest/globals';
import { CoreMemory } from 'loopshard/core';
import { compileWriter, jsonBytes, type WriterOptions } from 'loopshard/json';

/*
 * One table for all ways of writing. Each case has a schema, a function that makes a new value for each way, and the expected text or
 * error code.
 */
const core = CoreMemory.create(4 << 20);
const BYTES = 1 << 16;
const start = core.allocate(BYTES);

type Way = (schema: unknown, value: unknown, options: WriterOptions) => string;

const decoded = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const at = (end: number | Uint8Array) =>
  typeof end === 'number' ? core.bytes.toString('utf8', start, end) : decoded(end);

const WAYS: Record<string, Way> = {
  'lane wasm, toBytes': (schema, value, options) =>
    decoded(compileWriter(schema, { ...options, lane: 'wasm' }).toBytes(value as never)),
  'lane v8, toBytes': (schema, value, options) =>
    decoded(compileWriter(schema, { ...options, lane: 'v8' }).toBytes(value as never)),
  'lane wasm, write': (schema, value, options) =>
    at(compileWriter(schema, { ...options, lane: 'wasm' }).write(core, start, start + BYTES, value as never)),
  'lane v8, write': (schema, value, options) =>
    at(compileWriter(schema, { ...options, lane: 'v8' }).write(core, start, start + BYTES, value as never)),
  'lane wasm, spilled': (schema, value, options) =>
    at(compileWriter(schema, { ...options, lane: 'wasm' }).writeOrSpill(core, start, start + 8, value as never)),
  'lane v8, spilled': (schema, value, options) =>
    at(compileWriter(schema, { ...options, lane: 'v8' }).writeOrSpill(core, start, start + 8, value as never)),
  jsonBytes: (schema, value, options) =>
    Object.keys(options).length > 0
      ? decoded(compileWriter(schema, options).toBytes(value as never))
      : decoded(jsonBytes(value as never, schema)),
};

interface Case {
  name: string;
  schema: unknown;
  make: () => unknown;
  /** The expected text or error code. */
  expected: string;
  options?: WriterOptions;
}

const integers = { type: 'array', items: { type: 'integer' } };
const optional = (schema: unknown) => ({ type: 'object', properties: { a: schema } });
const string = { type: 'string' };
const MISMATCH = 'VALUE_MISMATCH';

class Money {
  constructor(readonly cents: number) {}
  toJSON(key: string) {
    return `${key}:${this.cents}`;
  }
}

/** An object whose properties may be read only once. */
function once(values: Record<string, unknown>): object {
  const object = {};
  for (const [key, value] of Object.entries(values)) {
    let reads = 0;
    Object.defineProperty(object, key, {
      enumerable: true,
      get: () => {
        if (++reads > 1) throw new Error(`read ${key} ${reads} times`);
        return value;
      },
    });
  }
  return object;
}

/** A value whose toJSON may be called only once. */
function convertedOnce(json: unknown): object {
  let calls = 0;
  return {
    toJSON: () => {
      if (++calls > 1) throw new Error(`called toJSON ${calls} times`);
      return json;
    },
  };
}

const shapes = {
  anyOf: [
    { type: 'object', properties: { a: string, r: { type: 'integer' } } },
    { type: 'object', properties: { a: { type: 'integer' }, s: string } },
  ],
};
const kinds = {
  oneOf: [
    { type: 'object', properties: { kind: { const: 'x' }, v: string }, required: ['kind'] },
    { type: 'object', properties: { kind: { const: 'y' }, v: { type: 'number' } }, required: ['kind'] },
  ],
};

const CASES: Case[] = [
  {
    name: 'a Buffer where an array is described',
    schema: integers,
    make: () => Buffer.from([1, 2]),
    expected: MISMATCH,
  },
  {
    name: 'a Buffer in a union of an array and an object',
    schema: { anyOf: [integers, { type: 'object', properties: { type: string, data: integers } }] },
    make: () => Buffer.from([1, 2]),
    expected: '{"type":"Buffer","data":[1,2]}',
  },
  {
    name: 'a vector where an array is described',
    schema: integers,
    make: () => Uint8Array.of(1, 2),
    expected: '[1,2]',
  },
  { name: 'a vector where any value is allowed', schema: {}, make: () => Uint8Array.of(1), expected: '{"0":1}' },
  {
    name: 'a vector where an object is described',
    schema: optional(string),
    make: () => Uint8Array.of(1),
    expected: MISMATCH,
  },
  {
    name: 'a vector in an untyped array',
    schema: { type: 'array' },
    make: () => Float32Array.of(0.5),
    expected: '[0.5]',
  },
  {
    name: 'a vector in a union of an array and an object',
    schema: { anyOf: [{ type: 'object' }, integers] },
    make: () => Int8Array.of(-1),
    expected: '[-1]',
  },
  { name: 'getters, each read once', schema: optional(string), make: () => once({ a: 'x' }), expected: '{"a":"x"}' },
  {
    name: 'getters next to a lone surrogate',
    schema: { type: 'object', properties: { a: string, b: string } },
    make: () => once({ a: 'x', b: '\ud800' }),
    expected: '{"a":"x","b":"\\ud800"}',
  },
  {
    name: 'getters before an object with toJSON',
    schema: { type: 'object', properties: { a: string, b: string }, required: ['a', 'b'] },
    make: () => once({ a: 'x', b: new Money(1) }),
    expected: '{"a":"x","b":"b:1"}',
  },
  { name: 'getters in a union', schema: shapes, make: () => once({ a: 1, s: 'x' }), expected: '{"a":1,"s":"x"}' },
  {
    name: 'a discriminator that is a getter',
    schema: kinds,
    make: () => once({ kind: 'y', v: 1 }),
    expected: '{"kind":"y","v":1}',
  },
  {
    name: 'a getter that returns undefined',
    schema: optional(string),
    make: () => once({ a: undefined }),
    expected: '{}',
  },
  {
    name: 'toJSON in an optional place, called once',
    schema: optional(string),
    make: () => ({ a: convertedOnce('x') }),
    expected: '{"a":"x"}',
  },
  {
    name: 'toJSON that returns undefined',
    schema: optional(string),
    make: () => ({ a: convertedOnce(undefined) }),
    expected: '{}',
  },
  {
    name: 'toJSON in a union, called once',
    schema: { anyOf: [shapes, string] },
    make: () => convertedOnce({ a: 'x', r: 1 }),
    expected: '{"a":"x","r":1}',
  },
  {
    name: 'toJSON inside a union, called once',
    schema: shapes,
    make: () => ({ a: convertedOnce('x'), r: 1 }),
    expected: '{"a":"x","r":1}',
  },
  {
    name: 'toJSON of another property',
    schema: { additionalProperties: string },
    make: () => ({ b: new Money(2) }),
    expected: '{"b":"b:2"}',
  },
  {
    name: 'toJSON of what toJSON returned',
    schema: {},
    make: () => ({ toJSON: () => ({ toJSON: () => 1, a: 2 }) }),
    expected: '{"a":2}',
  },
  {
    name: 'toJSON of what toJSON returned, typed',
    schema: { type: 'object' },
    make: () => ({ toJSON: () => ({ toJSON: () => 1, a: 2 }) }),
    expected: '{"a":2}',
  },
  {
    name: 'a Date with a format in a union',
    schema: { anyOf: [{ type: 'string', format: 'date' }, { type: 'null' }] },
    make: () => new Date(0),
    expected: '"1970-01-01"',
  },
  {
    name: 'a Date with a format inside a union whose branches are tested',
    schema: { anyOf: [optional({ type: 'string', format: 'date' }), { type: 'object', properties: { b: string } }] },
    make: () => ({ a: new Date(0), b: 'x' }),
    expected: '{"a":"1970-01-01","b":"x"}',
  },
  {
    name: 'boxed primitives in an array of numbers',
    schema: integers,
    make: () => [1, new Number(2), 3],
    expected: '[1,2,3]',
  },
  { name: 'BigInts among integers', schema: integers, make: () => [1, 2n ** 70n, 3], expected: `[1,${2n ** 70n},3]` },
  { name: 'a fraction among integers', schema: integers, make: () => [1, 1.5], expected: MISMATCH },
  { name: 'a proxy', schema: optional(string), make: () => new Proxy({ a: 'x' }, {}), expected: '{"a":"x"}' },
  { name: 'a proxy in a union', schema: shapes, make: () => new Proxy({ a: 1 }, {}), expected: '{"a":1}' },
  {
    name: 'a property toJSON that is not a function',
    schema: shapes,
    make: () => ({ a: 'x', toJSON: 1 }),
    expected: '{"a":"x"}',
  },
  {
    name: '__proto__ in the second part of allOf',
    schema: { allOf: [optional(string), JSON.parse('{"properties":{"__proto__":{"type":"integer"}}}')] },
    make: () => JSON.parse('{"a":"x","__proto__":1}'),
    expected: '{"a":"x","__proto__":1}',
  },
  {
    name: 'a value that is not an object, where only properties are described',
    schema: { properties: { a: string } },
    make: () => 7,
    expected: '7',
  },
  {
    name: 'an array, where only properties are described',
    schema: { properties: { a: string } },
    make: () => [1],
    expected: '[1]',
  },
  {
    name: 'a constant that is an object',
    schema: { enum: [{ a: 1 }, 'x'] },
    make: () => ({ a: 1 }),
    expected: '{"a":1}',
  },
  { name: 'null among constants', schema: { enum: ['x', null] }, make: () => null, expected: 'null' },
  {
    name: 'a default that is enabled',
    schema: optional({ type: 'string', default: 'd' }),
    make: () => ({}),
    expected: '{"a":"d"}',
    options: { useDefaults: true },
  },
  {
    name: 'a default that is not enabled',
    schema: optional({ type: 'string', default: 'd' }),
    make: () => ({}),
    expected: '{}',
  },
  {
    name: 'a default of a required property',
    schema: { ...optional({ default: [1] }), required: ['a'] },
    make: () => ({}),
    expected: '{"a":[1]}',
    options: { useDefaults: true },
  },
  {
    name: 'a property that has a default',
    schema: optional({ type: 'string', default: 'd' }),
    make: () => ({ a: 'x' }),
    expected: '{"a":"x"}',
    options: { useDefaults: true },
  },
  {
    name: 'a default where no other properties are allowed',
    schema: { ...optional({ default: 1 }), additionalProperties: false },
    make: () => ({}),
    expected: '{"a":1}',
    options: { useDefaults: true },
  },
  {
    name: 'a missing property that is coerced',
    schema: { ...optional(string), required: ['a'] },
    make: () => ({}),
    expected: '{"a":""}',
    options: { coerce: true },
  },
  {
    name: 'unlisted functions where no other properties are allowed',
    schema: { ...optional(string), additionalProperties: false },
    make: () => ({ a: 'x', f() {} }),
    expected: '{"a":"x"}',
  },
  {
    name: 'unlisted values where no other properties are allowed',
    schema: { ...optional(string), additionalProperties: false },
    make: () => ({ a: 'x', b: null }),
    expected: MISMATCH,
  },
  {
    name: 'other properties by the pattern of their names',
    schema: { patternProperties: { '^n': { type: 'number' }, e$: string }, additionalProperties: false },
    make: () => ({ n1: 1, size: 'x' }),
    expected: '{"n1":1,"size":"x"}',
  },
  {
    name: 'a name that matches two patterns',
    schema: { patternProperties: { '^n': string, e$: { type: 'number' } } },
    make: () => ({ ne: 1 }),
    expected: MISMATCH,
  },
];

describe('all ways of writing agree', () => {
  for (const { name, schema, make, expected, options = {} } of CASES) {
    test(name, () => {
      for (const [way, write] of Object.entries(WAYS)) {
        let result: string;
        try {
          result = write(schema, make(), options);
        } catch (error) {
          result = (error as { code?: string }).code ?? (error as Error).message;
        }
        expect(`${way}: ${result}`).toBe(`${way}: ${expected}`);
      }
    });
  }

  test('checks a value again after it was changed', () => {
    for (const lane of ['wasm', 'v8'] as const) {
      const writer = compileWriter({ type: 'object', properties: { shape: shapes } }, { lane });
      const shape: Record<string, unknown> = { a: 'x', r: 1, s: 'y' };
      expect(decoded(writer.toBytes({ shape } as never))).toBe('{"shape":{"a":"x","r":1}}');
      shape.a = 1;
      expect(decoded(writer.toBytes({ shape } as never))).toBe('{"shape":{"a":1,"s":"y"}}');
    }
  });

  test('writes integers as digits even if BigInt has a toJSON', () => {
    const prototype = BigInt.prototype as { toJSON?: () => string };
    prototype.toJSON = function (this: bigint) {
      return `${this}n`;
    };
    try {
      for (const [way, write] of Object.entries(WAYS)) {
        const schema = {
          type: 'object',
          properties: { i: { type: 'integer' }, any: {}, u: { anyOf: [integers, { type: 'integer' }] } },
        };
        expect(`${way}: ${write(schema, { i: 5n, any: 6n, u: 7n }, {})}`).toBe(`${way}: {"i":5,"any":"6n","u":7}`);
      }
    } finally {
      delete prototype.toJSON;
    }
  });

  test('calls getters and toJSON in the order of JSON.stringify', () => {
    const order: string[] = [];
    const traced = (name: string, value: unknown) => ({
      get [name]() {
        order.push(`get ${name}`);
        const toJSON = () => {
          order.push(`convert ${name}`);
          return value;
        };
        return { toJSON };
      },
    });
    const make = () =>
      Object.defineProperties(
        {},
        {
          ...Object.getOwnPropertyDescriptors(traced('a', { x: 1 })),
          ...Object.getOwnPropertyDescriptors(traced('b', 'y')),
        },
      );
    JSON.stringify(make());
    const expected = order.splice(0);
    for (const [way, write] of Object.entries(WAYS)) {
      write({ type: 'object', properties: { a: { type: 'object' }, b: string } }, make(), {});
      expect([way, order.splice(0)]).toEqual([way, expected]);
    }
  });
});
