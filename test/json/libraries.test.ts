import { describe, expect, test } from '@jest/globals';
import { Type as Type034 } from '@sinclair/typebox';
import { Value as Value034 } from '@sinclair/typebox/value';
import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import { compileWriter } from 'loopshard/json';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import * as v from 'valibot';
import { z } from 'zod';
import { write } from './lanes.js';

/*
 * Round trips with each library: its schema becomes a writer, the writer writes a value, and the library parses the result.
 * The cases are what libraries express differently: (A|B) & (C|D), recursion, records, tuples and optional properties.
 */
const value = {
  id: 1,
  tags: ['x', 'é'],
  size: { width: 2, unit: 'cm' },
  pair: [1.5, true],
  scores: { a: 1, b: 2 },
  kind: null,
  tree: { name: 'root', kids: [{ name: 'leaf', kids: [] }] },
};
const secret = { ...value, password: 'x' };

const treeOfZod = z.object({
  name: z.string(),
  get kids() {
    return z.array(treeOfZod);
  },
});
const zodSchema = z.object({
  id: z.int(),
  tags: z.array(z.string()),
  size: z.intersection(
    z.union([z.object({ width: z.number() }), z.object({ height: z.number() })]),
    z.union([z.object({ unit: z.literal('cm') }), z.object({ scale: z.number() })]),
  ),
  pair: z.tuple([z.number(), z.boolean()]),
  scores: z.record(z.string(), z.number()),
  kind: z.enum(['a', 'b']).nullable(),
  note: z.string().optional(),
  tree: treeOfZod,
});

const arkSchema = type({
  id: 'number.integer',
  tags: 'string[]',
  size: type({ width: 'number' })
    .or({ height: 'number' })
    .and(type({ unit: "'cm'" }).or({ scale: 'number' })),
  pair: ['number', 'boolean'],
  scores: 'Record<string, number>',
  kind: "'a' | 'b' | null",
  'note?': 'string',
  tree: type.module({ node: { name: 'string', kids: 'node[]' } }).node,
});

type Tree = { name: string; kids: Tree[] };
const treeOfValibot: v.GenericSchema<Tree> = v.object({ name: v.string(), kids: v.array(v.lazy(() => treeOfValibot)) });
const valibotSchema = v.object({
  id: v.pipe(v.number(), v.integer()),
  tags: v.array(v.string()),
  size: v.intersect([
    v.union([v.object({ width: v.number() }), v.object({ height: v.number() })]),
    v.union([v.object({ unit: v.literal('cm') }), v.object({ scale: v.number() })]),
  ]),
  pair: v.tuple([v.number(), v.boolean()]),
  scores: v.record(v.string(), v.number()),
  kind: v.nullable(v.picklist(['a', 'b'])),
  note: v.optional(v.string()),
  tree: treeOfValibot,
});

const typeboxSchema = Type034.Object({
  id: Type034.Integer(),
  tags: Type034.Array(Type034.String()),
  size: Type034.Intersect([
    Type034.Union([Type034.Object({ width: Type034.Number() }), Type034.Object({ height: Type034.Number() })]),
    Type034.Union([Type034.Object({ unit: Type034.Literal('cm') }), Type034.Object({ scale: Type034.Number() })]),
  ]),
  pair: Type034.Tuple([Type034.Number(), Type034.Boolean()]),
  scores: Type034.Record(Type034.String(), Type034.Number()),
  kind: Type034.Union([Type034.Literal('a'), Type034.Null()]),
  note: Type034.Optional(Type034.String()),
  tree: Type034.Recursive((self) => Type034.Object({ name: Type034.String(), kids: Type034.Array(self) })),
});

const typebox1Schema = Type.Object({
  id: Type.Integer(),
  tags: Type.Array(Type.String()),
  size: Type.Intersect([
    Type.Union([Type.Object({ width: Type.Number() }), Type.Object({ height: Type.Number() })]),
    Type.Union([Type.Object({ unit: Type.Literal('cm') }), Type.Object({ scale: Type.Number() })]),
  ]),
  pair: Type.Tuple([Type.Number(), Type.Boolean()]),
  scores: Type.Record(Type.String(), Type.Number()),
  kind: Type.Union([Type.Literal('a'), Type.Null()]),
  note: Type.Optional(Type.String()),
  tree: Type.Cyclic({ Node: Type.Object({ name: Type.String(), kids: Type.Array(Type.Ref('Node')) }) }, 'Node'),
});

const ROUND_TRIPS: [library: string, schema: unknown, read: (json: unknown) => unknown][] = [
  ['zod 4, by z.toJSONSchema', z.toJSONSchema(zodSchema, { io: 'input' }), (json) => zodSchema.parse(json)],
  ['zod 4, as a Standard Schema', zodSchema, (json) => zodSchema.parse(json)],
  ['arktype, by toJsonSchema', arkSchema.toJsonSchema(), (json) => arkSchema.assert(json)],
  ['arktype, as a Standard Schema', arkSchema, (json) => arkSchema.assert(json)],
  ['valibot, by toStandardJsonSchema', toStandardJsonSchema(valibotSchema), (json) => v.parse(valibotSchema, json)],
  ['TypeBox 0.34', typeboxSchema, (json) => Value034.Decode(typeboxSchema, json)],
  ['TypeBox 1', typebox1Schema, (json) => Value.Parse(typebox1Schema, json)],
];

describe('each library parses what a writer made from its schema writes', () => {
  for (const [library, schema, read] of ROUND_TRIPS) {
    test(library, () => {
      const json = JSON.parse(write(schema, value));
      expect(json).toEqual(value);
      expect(read(json)).toEqual(value);
    });
  }

  test('leaves out properties that the schema does not name, for every library', () => {
    for (const [library, schema] of ROUND_TRIPS) {
      expect([library, JSON.parse(write(schema, secret))]).toEqual([library, value]);
    }
  });

  test('leaves out what a Standard Schema strips, and fails on what it rejects', () => {
    const inner = { a: 1, extra: 2 };
    const tree = { name: 'root', extra: 1, kids: [{ name: 'leaf', extra: 2, kids: [] }] };
    expect(write(z.object({ list: z.array(z.object({ a: z.int() })) }), { list: [inner] })).toBe('{"list":[{"a":1}]}');
    expect(write(z.tuple([z.object({ a: z.int() })]), [inner])).toBe('[{"a":1}]');
    expect(JSON.parse(write(treeOfZod, tree))).toEqual({ name: 'root', kids: [{ name: 'leaf', kids: [] }] });
    expect(write(z.object({ a: z.int().transform(String).pipe(z.string()) }), { a: '1', b: 2 })).toBe('{"a":"1"}');
    expect(write(z.looseObject({ a: z.int() }), inner)).toBe('{"a":1,"extra":2}');
    for (const strict of [z.strictObject({ a: z.int() }), type({ '+': 'reject', a: 'number' })]) {
      expect(() => write(strict, inner)).toThrow(expect.objectContaining({ code: 'VALUE_MISMATCH' }));
    }
    expect(() => write(z.object({ in: z.strictObject({ a: z.int() }) }), { in: inner })).toThrow('/in/extra');
    expect(write(type({ '+': 'delete', a: 'number' }), inner)).toBe('{"a":1}');
  });

  test('rejects a Standard Schema without a JSON Schema with a clear error', () => {
    expect(() => compileWriter(v.object({ a: v.string() }))).toThrow(
      /schema of valibot: it has no conversion to JSON Schema/,
    );
    expect(() => compileWriter(z.object({ a: z.date() }))).toThrow(/Cannot convert this schema of zod to JSON Schema/);
  });
});
