import { describe, expect, test } from '@jest/globals';
import { compileWriter } from 'loopshard/json';
import { write } from './lanes.js';

const integer = { type: 'integer' };
const only = (key: string) => ({
  type: 'object',
  properties: { [key]: integer },
  required: [key],
  additionalProperties: false,
});

describe('references', () => {
  const cases: [name: string, schema: unknown, value: unknown][] = [
    [
      'a pointer below an inner $id is resolved in the inner schema',
      {
        properties: { here: { $ref: '#/definitions/unit' }, there: { $ref: 'https://example.org/other' } },
        definitions: {
          unit: only('outer'),
          other: {
            $id: 'https://example.org/other',
            properties: { part: { $ref: '#/definitions/unit' } },
            definitions: { unit: only('inner') },
          },
        },
      },
      { here: { outer: 1 }, there: { part: { inner: 2 } } },
    ],
    [
      'an anchor is not a key of $defs',
      { $ref: '#quay', $defs: { quay: only('wrong'), real: { $anchor: 'quay', ...only('right') } } },
      { right: 1 },
    ],
    [
      'an anchor of another resource',
      {
        $ref: 'https://example.org/a#b',
        $defs: { x: { $id: 'https://example.org/a', $defs: { y: { $anchor: 'b', ...only('k') } } } },
      },
      { k: 1 },
    ],
    [
      'a relative $id',
      { $id: 'https://example.org/dir/root', $ref: 'part', $defs: { p: { $id: 'part', ...only('k') } } },
      { k: 1 },
    ],
    [
      'a URN',
      {
        $ref: 'urn:uuid:f47ac10b-58cc-4372-a567-0e02b2c3d479',
        $defs: { u: { $id: 'urn:uuid:f47ac10b-58cc-4372-a567-0e02b2c3d479', ...only('k') } },
      },
      { k: 1 },
    ],
    [
      'an $id that is an anchor, as in draft 7',
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        $ref: '#k',
        definitions: { a: { $id: '#k', ...only('k') } },
      },
      { k: 1 },
    ],
    [
      'keys with a slash, a tilde and a percent sign',
      { $ref: '#/$defs/a~1b~0c%25', $defs: { 'a/b~c%': only('k') } },
      { k: 1 },
    ],
    [
      'an $id outside of a schema is ignored',
      {
        $ref: 'https://example.org/k',
        examples: [{ $id: 'https://example.org/k', ...only('wrong') }],
        enum: [{ k: 1 }],
        $defs: { a: { const: { $id: 'https://example.org/k' } }, b: { $id: 'https://example.org/k', ...only('k') } },
      },
      { k: 1 },
    ],
    [
      'siblings of a reference apply',
      { $ref: '#/$defs/a', properties: { b: integer }, $defs: { a: { properties: { a: integer } } } },
      { a: 1, b: 2 },
    ],
    [
      'recursion through allOf',
      {
        $ref: '#/$defs/Box',
        $defs: {
          Plain: { properties: { size: integer, within: {} } },
          Box: { allOf: [{ $ref: '#/$defs/Plain' }, { properties: { within: { $ref: '#/$defs/Box' } } }] },
        },
      },
      { size: 1, within: { size: 2, within: { size: 3 } } },
    ],
    [
      'a dynamic reference resolves to the outermost anchor',
      {
        $id: 'https://example.org/strict',
        $dynamicAnchor: 'node',
        $ref: 'tree',
        properties: { extra: integer },
        $defs: {
          tree: {
            $id: 'tree',
            $dynamicAnchor: 'node',
            properties: { kids: { type: 'array', items: { $dynamicRef: '#node' } } },
          },
        },
      },
      { kids: [{ kids: [], extra: 1 }], extra: 2 },
    ],
    ['a bare key of $defs, as in TypeBox', { $ref: 'A', $defs: { A: only('k') } }, { k: 1 }],
  ];
  for (const [name, schema, value] of cases) {
    test(name, () => expect(JSON.parse(write(schema, value))).toEqual(value));
  }

  test('before 2019-09, siblings of a reference are ignored', () => {
    const schema = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      $ref: '#/definitions/a',
      properties: { b: integer },
      definitions: { a: { properties: { a: integer } } },
    };
    expect(write(schema, { a: 1, b: 2 })).toBe('{"a":1}');
  });

  test('can point to documents in the option `schemas`', () => {
    const schemas = {
      'https://example.org/api': {
        components: {
          schemas: { User: only('id'), Users: { type: 'array', items: { $ref: '#/components/schemas/User' } } },
        },
      },
      'https://example.org/other.json': { $id: 'https://example.org/known-by-id', ...only('k') },
    };
    expect(write({ $ref: 'https://example.org/api#/components/schemas/Users' }, [{ id: 1 }], { schemas })).toBe(
      '[{"id":1}]',
    );
    expect(write({ $ref: 'https://example.org/known-by-id' }, { k: 1 }, { schemas })).toBe('{"k":1}');
    expect(write({ $ref: 'https://example.org/other.json' }, { k: 1 }, { schemas })).toBe('{"k":1}');
  });

  test('are rejected with a clear error if they cannot be resolved', () => {
    const wrong: [schema: unknown, message: RegExp][] = [
      [{ $ref: '#/$defs/none' }, /Cannot resolve `\$ref` at #: "#\/\$defs\/none" does not exist in the schema/],
      [
        { properties: { a: { $ref: '#none' } } },
        /`\$ref` at #\/properties\/a: "#none" matches no `\$anchor` of the schema/,
      ],
      [
        { $ref: 'https://example.org/none' },
        /matches no `\$id`. Pass the document that has it in the option `schemas`/,
      ],
      [{ $ref: '#/%' }, /has invalid percent-encoding/],
      [{ $dynamicRef: '#none' }, /Cannot resolve `\$dynamicRef`/],
    ];
    for (const [schema, message] of wrong) expect(() => compileWriter(schema)).toThrow(message);
  });
});
