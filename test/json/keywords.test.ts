import { describe, expect, test } from '@jest/globals';
import { compileWriter } from 'loopshard/json';
import { code, write } from './lanes.js';

const string = { type: 'string' };
const object = (...keys: string[]) => ({
  type: 'object',
  properties: Object.fromEntries(keys.map((key) => [key, string])),
  required: keys,
});

/** `if`, `then` and `else`. Their names are strings because an object with a property `then` is treated as a promise. */
const conditional = (...schemas: unknown[]) =>
  Object.fromEntries(['if', 'then', 'else'].map((keyword, i) => [keyword, schemas[i] ?? true]));

/** Each value is valid and written whole. With the properties of `lost` added it is still valid, but no applicable subschema names them. */
const CASES: [name: string, schema: unknown, value: object, lost?: object][] = [
  [
    'if, then',
    { ...object('a'), ...conditional({ properties: { a: { const: 'x' } } }, object('b'), object('c')) },
    { a: 'x', b: 'y' },
    { c: 'z' },
  ],
  [
    'if, else',
    { ...object('a'), ...conditional({ properties: { a: { const: 'x' } } }, object('b'), object('c')) },
    { a: 'o', c: 'y' },
    { b: 'z' },
  ],
  ['if alone', { ...object('a'), if: object('b') }, { a: 'x', b: 'y' }, { c: 'z' }],
  [
    'a condition on a number',
    {
      ...conditional(
        { properties: { n: { minimum: 10 } } },
        { properties: { n: {}, big: string } },
        { properties: { n: {} } },
      ),
    },
    { n: 12, big: 'x' },
    { c: 'z' },
  ],
  ['dependentSchemas', { ...object('a'), dependentSchemas: { a: object('b') } }, { a: 'x', b: 'y' }, { c: 'z' }],
  [
    'dependentSchemas of an absent property',
    { properties: { a: string, c: string }, dependentSchemas: { a: object('b') } },
    { c: 'y' },
    { b: 'z' },
  ],
  ['dependencies', { ...object('a'), dependencies: { a: object('b'), x: ['y'] } }, { a: 'x', b: 'y' }, { c: 'z' }],
  [
    'anyOf next to oneOf',
    { anyOf: [object('a'), object('b')], oneOf: [object('c'), object('d')] },
    { b: 'x', c: 'y' },
    { e: 'z' },
  ],
  [
    'two anyOf in an allOf',
    { allOf: [{ anyOf: [object('a'), object('b')] }, { anyOf: [object('c'), object('d')] }] },
    { a: 'x', d: 'y' },
    { e: 'z' },
  ],
  [
    'all branches of anyOf that match',
    { anyOf: [object('a'), object('b'), object('c'), object('d')] },
    { a: 'x', c: 'y', d: 'z' },
    { e: 'z' },
  ],
  ['the first branch of oneOf that matches', { oneOf: [object('a'), object('b')] }, { b: 'x' }, { e: 'z' }],
  [
    'two additionalProperties',
    {
      allOf: [
        { additionalProperties: { properties: { a: string } } },
        { additionalProperties: { properties: { b: string } } },
      ],
    },
    { k: { a: 'x', b: 'y' } },
  ],
  ['two items', { allOf: [{ items: object('a') }, { items: object('b') }] }, [{ a: 'x', b: 'y' }]],
  [
    'items next to prefixItems of another part',
    { allOf: [{ prefixItems: [object('a')] }, { items: object('b') }] },
    [{ a: 'x', b: 'y' }, { b: 'z' }],
  ],
  [
    'patternProperties next to anyOf',
    { patternProperties: { '^n': { type: 'number' } }, anyOf: [object('a'), object('b')] },
    { b: 'x', n1: 1 },
    { c: 'z' },
  ],
  [
    'additionalProperties next to anyOf',
    { additionalProperties: { type: 'number' }, anyOf: [{ minProperties: 1 }, { required: ['a'] }] },
    { x: 1 },
  ],
  ['required next to anyOf', { required: ['a'], anyOf: [object('b'), object('c')] }, { a: 1, b: 'x' }, { e: 'z' }],
  [
    'unevaluatedProperties',
    { ...object('a'), anyOf: [object('b'), object('c')], unevaluatedProperties: { type: 'number' } },
    { a: 'x', b: 'y', n: 1 },
  ],
  [
    'contains next to items',
    { items: { properties: { a: string } }, contains: { properties: { b: { const: 'y' } }, required: ['b'] } },
    [{ a: 'x' }, { a: 'x', b: 'y' }],
  ],
  ['unevaluatedItems next to contains', { contains: { const: 1 }, unevaluatedItems: string }, [1, 'x', 1]],
  ['not describes nothing', { ...object('a'), not: object('b') }, { a: 'x' }, { c: 'z' }],
  [
    'a union of unions',
    { anyOf: [{ anyOf: [object('a'), object('b')] }, { oneOf: [object('c'), object('d')] }] },
    { b: 'x', d: 'y' },
    { e: 'z' },
  ],
  ['nullable next to anyOf', { nullable: true, anyOf: [object('a'), object('b')] }, { a: 'x' }, { e: 'z' }],
  [
    'properties of a key that two parts describe',
    {
      allOf: [
        { properties: { p: { properties: { a: string } } } },
        { properties: { p: { properties: { b: string } } } },
      ],
    },
    { p: { a: 'x', b: 'y' } },
  ],
];

describe('a value may contain whatever the applicable subschemas evaluate', () => {
  for (const [name, schema, value, lost] of CASES) {
    test(name, () => {
      expect(JSON.parse(write(schema, value))).toEqual(value);
      expect(JSON.parse(write(schema, value, { unlisted: 'write' }))).toEqual(value);
      if (lost === undefined) return;
      const whole = { ...value, ...lost };
      expect(JSON.parse(write(schema, whole))).toEqual(value);
      expect(JSON.parse(write(schema, whole, { unlisted: 'write' }))).toEqual(whole);
      expect(code(schema, whole, { unlisted: 'reject' })[0]).toBe('VALUE_MISMATCH');
    });
  }

  test('a subschema that forbids properties does so even if another one names them', () => {
    const closed = { allOf: [{ ...object('a'), additionalProperties: false }, { properties: { b: string } }] };
    expect(write(closed, { a: 'x' })).toBe('{"a":"x"}');
    expect(code(closed, { a: 'x', b: 'y' })[0]).toBe('VALUE_MISMATCH');
    const unevaluated = { ...object('a'), anyOf: [object('b'), object('c')], unevaluatedProperties: false };
    expect(code(unevaluated, { a: 'x', b: 'y', d: 'z' })[0]).toBe('VALUE_MISMATCH');
  });

  test('rejects a value that matches no branch', () => {
    for (const keyword of ['anyOf', 'oneOf']) {
      const schema = { [keyword]: [object('a'), object('b')] };
      expect(code(schema, { c: 'x' })[0]).toBe('VALUE_MISMATCH');
      expect(code(schema, { a: 1 })[0]).toBe('VALUE_MISMATCH');
    }
  });
});

describe('the properties that branches require', () => {
  const circle = { properties: { radius: { type: 'number' } }, required: ['radius'] };
  const square = { allOf: [{ properties: { side: { type: 'number' } }, required: ['side'] }] };
  const schemas = ['anyOf', 'oneOf'].map((keyword) => ({
    [keyword]: [circle, square, object('name')],
  }));

  test('select the branch, so that an error names the place inside it', () => {
    for (const schema of schemas) {
      expect(write(schema, { side: 1, secret: 'x' })).toBe('{"side":1}');
      expect(code(schema, { side: 'x' })[1]).toContain('at /side: expected a number, got a string');
      expect(code(schema, { other: 1 })[1]).toContain('expected a value that matches the schema, got an object');
    }
  });

  test('do not select a branch if the value has those of several', () => {
    const [anyOf, oneOf] = schemas;
    expect(write(anyOf, { radius: 1, side: 2, secret: 'x' })).toBe('{"radius":1,"side":2}');
    expect(write(oneOf, { radius: 'x', side: 2, secret: 'x' })).toBe('{"side":2}');
    expect(code(oneOf, { radius: 'x', side: 'y' })[1]).toContain('got an object');
  });
});

describe('OpenAPI’s discriminator', () => {
  const schema = {
    components: {
      schemas: {
        Cat: { type: 'object', properties: { kind: string, name: string, lives: { type: 'integer' } } },
        Dog: { type: 'object', properties: { kind: string, name: string, tricks: { type: 'array', items: string } } },
      },
    },
    oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }],
    discriminator: { propertyName: 'kind', mapping: { feline: '#/components/schemas/Cat', hound: 'Dog' } },
  };

  test('selects the branch, by mapping and by schema name', () => {
    const dog = { name: 'Rex', tricks: ['sit'], lives: 1 };
    for (const kind of ['Dog', 'hound']) {
      expect(write(schema, { kind, ...dog })).toBe(`{"kind":"${kind}","name":"Rex","tricks":["sit"]}`);
    }
    expect(write(schema, { kind: 'feline', ...dog })).toBe('{"kind":"feline","name":"Rex","lives":1}');
  });

  test('falls back to the branches for a value that it does not name', () => {
    expect(write(schema, { kind: 'cow', name: 'Elsa', lives: 9 })).toBe('{"kind":"cow","name":"Elsa","lives":9}');
  });
});

describe('schemas that cannot be compiled', () => {
  const wrong: [schema: unknown, keyword: string, path: string][] = [
    [{ properties: { a: { type: 'text' } } }, 'type', '#/properties/a'],
    [{ properties: { a: { items: [{ enum: [] }] } } }, 'enum', '#/properties/a/items/0'],
    [{ if: { properties: { 'x/y': { pattern: '(' } } } }, 'pattern', '#/if/properties/x~1y'],
    [{ allOf: [{ patternProperties: { '[': {} } }] }, 'patternProperties', '#/allOf/0'],
    [{ properties: 7 }, 'properties', '#'],
    [{ required: 'a' }, 'required', '#'],
    [{ anyOf: [] }, 'anyOf', '#'],
    [{ oneOf: {} }, 'oneOf', '#'],
    [{ minItems: 'x' }, 'minItems', '#'],
    [{ $defs: { a: {} }, properties: { b: { $ref: '#/$defs/c' } } }, '$ref', '#/properties/b'],
  ];
  for (const [schema, keyword, path] of wrong) {
    test(`are rejected with the keyword ${keyword} and its path`, () => {
      expect(() => compileWriter(schema)).toThrow(
        expect.objectContaining({
          code: 'SCHEMA_INVALID',
          message: expect.stringContaining(`\`${keyword}\` at ${path}:`),
        }),
      );
    });
  }

  test('because they are nested too deeply, or chain too many references', () => {
    let nested: object = {};
    for (let level = 0; level < 20_000; level++) nested = { items: nested };
    const $defs = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`d${i}`, { allOf: [{ $ref: `#/$defs/d${i + 1}` }] }]),
    );
    for (const schema of [nested, { $ref: '#/$defs/d0', $defs: { ...$defs, d20000: {} } }]) {
      expect(() => compileWriter(schema)).toThrow(
        expect.objectContaining({ code: 'SCHEMA_INVALID', message: expect.stringContaining('too deeply') }),
      );
    }
  });

  test('because they refer back to themselves', () => {
    for (const schema of [
      { $ref: '#' },
      { allOf: [{ $ref: '#' }] },
      { anyOf: [{ type: 'null' }, { $ref: '#' }] },
      { $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }] } }, $ref: '#/$defs/a' },
    ]) {
      expect(() => compileWriter(schema)).toThrow(/refers to itself/);
    }
  });
});
