import { describe, expect, test } from '@jest/globals';
import { Type } from '@sinclair/typebox';
import { compileWriter } from 'loopshard/json';
import * as Next from 'typebox';
import { text } from './lanes.js';

enum Color {
  Red = 'red',
  Blue = 'blue',
}

describe('schemas that TypeBox emits', () => {
  const schema = Type.Object({
    id: Type.Integer(),
    name: Type.String(),
    color: Type.Enum(Color),
    kind: Type.Union([Type.Literal('a'), Type.Literal('b'), Type.Null()]),
    when: Type.Optional(Type.String({ format: 'date-time' })),
    pair: Type.Tuple([Type.Number(), Type.Boolean()]),
    map: Type.Record(Type.String(), Type.Number()),
    both: Type.Intersect([Type.Object({ x: Type.Number() }), Type.Object({ y: Type.Number() })]),
    any: Type.Unknown(),
    list: Type.Array(Type.Union([Type.String(), Type.Number()])),
  });
  const value = {
    id: 1,
    name: 'x',
    color: Color.Blue,
    kind: null,
    pair: [1.5, true] as [number, boolean],
    map: { a: 1, b: 2 },
    both: { x: 1, y: 2 },
    any: { deep: [1] },
    list: ['a', 1],
  };

  test('write the value as JSON.stringify does, and infer its type', () => {
    const writer = compileWriter(schema);
    expect(Buffer.from(writer.toBytes(value)).toString()).toBe(JSON.stringify(value));
    expect(writer.explain().fallbacks).toBe(0);
    // @ts-expect-error: id is a number
    expect(() => writer.toBytes({ ...value, id: 'x' })).toThrow('at /id: expected an integer, got a string');
  });

  test('may be recursive', () => {
    const tree = Type.Recursive((self) => Type.Object({ v: Type.Number(), kids: Type.Array(self) }));
    const forest = {
      v: 1,
      kids: [
        { v: 2, kids: [] },
        { v: 3, kids: [{ v: 4, kids: [] }] },
      ],
    };
    const writer = compileWriter(tree);
    expect(Buffer.from(writer.toBytes(forest)).toString()).toBe(JSON.stringify(forest));
    expect(writer.explain().fallbacks).toBe(0);
  });

  test('may come from TypeBox 1', () => {
    const next = Next.Type.Object({
      id: Next.Type.Integer(),
      name: Next.Type.Optional(Next.Type.String()),
      kind: Next.Type.Union([Next.Type.Literal('a'), Next.Type.Null()]),
      pair: Next.Type.Tuple([Next.Type.Number(), Next.Type.String()]),
      map: Next.Type.Record(Next.Type.String(), Next.Type.Number()),
    });
    const row = { id: 1, kind: 'a', pair: [1, 'x'], map: { q: 2 } };
    expect(text(compileWriter(next as unknown), row)).toBe(JSON.stringify(row));
  });
});
