import { describe, expect, test } from '@jest/globals';
import { compileWriter } from 'loopshard/json';
import { code, user, write } from './lanes.js';

describe('schemas', () => {
  const tree = {
    $defs: {
      node: { type: 'object', properties: { v: { type: 'integer' }, next: { $ref: '#/$defs/node' } }, required: ['v'] },
    },
    $ref: '#/$defs/node',
  };

  test('may be recursive up to `maxDepth`, so that cyclic values are rejected', () => {
    const value = { v: 1, next: { v: 2, next: { v: 3 } } };
    expect(write(tree, value)).toBe(JSON.stringify(value));
    expect(code(tree, value, { maxDepth: 2 })[0]).toBe('DEPTH_EXCEEDED');
    expect(write(tree, value, { maxDepth: 3 })).toBe(JSON.stringify(value));
    const cycle: { v: number; next?: unknown } = { v: 1 };
    cycle.next = cycle;
    expect(code(tree, cycle)[0]).toBe('DEPTH_EXCEEDED');
    expect(code({}, cycle)[0]).toBe('DEPTH_EXCEEDED');
  });

  test('allOf, anyOf of objects, nullable, tuples', () => {
    const animal = {
      anyOf: [
        {
          type: 'object',
          properties: { kind: { const: 'cat' }, lives: { type: 'integer' } },
          required: ['kind', 'lives'],
        },
        {
          type: 'object',
          properties: { kind: { const: 'dog' }, name: { type: 'string' } },
          required: ['kind', 'name'],
        },
      ],
    };
    expect(
      write({ type: 'array', items: animal }, [
        { kind: 'dog', name: 'Rex', lives: 1 },
        { kind: 'cat', lives: 9, name: 'x' },
      ]),
    ).toBe('[{"kind":"dog","name":"Rex"},{"kind":"cat","lives":9}]');
    expect(code(animal, { kind: 'cow' })[0]).toBe('VALUE_MISMATCH');
    expect(
      write(
        { allOf: [user, { type: 'object', properties: { extra: { type: 'boolean' } }, required: ['extra'] }] },
        { extra: true, id: 1, name: 'a' },
      ),
    ).toBe('{"id":1,"name":"a","extra":true}');
    expect(write({ type: 'string', nullable: true }, null)).toBe('null');
    expect(
      write({ type: 'array', items: [{ type: 'string' }, { type: 'number' }], additionalItems: false }, ['a', 1]),
    ).toBe('["a",1]');
    expect(write({ const: { a: [1] } }, { a: [1] })).toBe('{"a":[1]}');
  });

  test('are rejected with a reason if they are invalid', () => {
    for (const schema of [
      3,
      { type: 'text' },
      { $ref: '#/nowhere' },
      { enum: [] },
      { anyOf: [] },
      { patternProperties: { '(': {} } },
      { $ref: '#' },
      { type: [] },
    ]) {
      expect(() => compileWriter(schema)).toThrow(expect.objectContaining({ code: 'SCHEMA_INVALID' }));
    }
  });

  test.each<[object, string, string]>([
    [{ maxDepth: 0 }, 'OPTION_INVALID', 'Invalid `maxDepth`: expected a positive integer, got 0.'],
    [{ maxDepth: '3' }, 'OPTION_INVALID', "Invalid `maxDepth`: expected a positive integer, got '3'."],
    [{ opaque: true }, 'OPTION_INVALID', "Invalid `opaque`: expected `'write'` or `'reject'`, got true."],
    [
      { unlisted: 'keep' },
      'OPTION_INVALID',
      "Invalid `unlisted`: expected `'omit'` or `'write'` or `'reject'`, got 'keep'.",
    ],
    [{ lane: 'js' }, 'OPTION_INVALID', 'Invalid `lane`: '],
    [{ coerce: 1 }, 'OPTION_INVALID', 'Invalid `coerce`: expected `false` or `true`, got 1.'],
    [{ useDefaults: null }, 'OPTION_INVALID', 'Invalid `useDefaults`: '],
    [
      { additional: 'omit' },
      'OPTION_UNKNOWN',
      'Unknown option `additional` of `compileWriter()`. All options: unlisted, ',
    ],
  ])('refuses the options %j', (options, code, message) => {
    expect(() => compileWriter({}, options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
