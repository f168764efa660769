import { describe, expect, test } from '@jest/globals';
import { compileWriter } from 'loopshard/json';
import { code, text, user, write } from './lanes.js';

describe('values are written as by JSON.stringify', () => {
  test('leaves out undefined, functions and symbols', () => {
    expect(
      write(
        { properties: { a: {}, b: { type: 'string' }, c: {}, d: {} } },
        { a: undefined, b: undefined, c() {}, d: Symbol('d') },
      ),
    ).toBe('{}');
    expect(write({ type: 'array', items: {} }, [undefined, () => 1, Symbol('x'), 1])).toBe('[null,null,null,1]');
  });

  test('unwraps boxed primitives, and writes Map and Set as objects', () => {
    expect(write({ type: 'array', items: { type: 'number' } }, [new Number(1.5)])).toBe('[1.5]');
    expect(write({ type: 'string' }, new String('x'))).toBe('"x"');
    expect(write({ type: 'boolean' }, new Boolean(false))).toBe('false');
    expect(write({ type: 'integer' }, Object(7n))).toBe('7');
    expect(write({}, { m: new Map([[1, 2]]), s: new Set([1]) })).toBe('{"m":{},"s":{}}');
    expect(write({ type: 'object' }, new Map([['a', 1]]))).toBe('{}');
  });

  const opaque: [string, object, string][] = [
    ['a Map', new Map([['a', 1]]), 'a `Map`. Use `Object.fromEntries(map)` or `[...map]`.'],
    ['a Set', new Set([1]), 'a `Set`. Use `[...set]`.'],
    ['a promise', Promise.resolve(1), 'a promise. Await it first.'],
    ['an Error', new TypeError('x'), 'an `Error`. Throw it, or use an object with what the client may see.'],
    ['an Error with properties', Object.assign(new Error('x'), { code: 'X' }), 'an `Error`. '],
    ['a RegExp', /x/, 'an instance of `RegExp`. Use a JSON value.'],
    ['a subclass of Map', new (class Index extends Map {})(), 'a `Map`. '],
    ['a proxy of a Map', new Proxy(new Map(), {}), 'a `Map`. '],
  ];
  test.each(opaque)("rejects %s with `opaque: 'reject'`, wherever it stands", (_name, value, sentence) => {
    const named = { type: 'object', properties: { code: { type: 'string' }, size: {} } };
    const branch = { type: 'object', properties: { kind: { const: 'a' }, a: named }, required: ['kind'] };
    const other = { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'] };
    const judged = {
      anyOf: [
        { ...named, minProperties: 0 },
        { type: 'object', maxProperties: 0 },
      ],
    };
    const places: [schema: object, inner: object, path: string][] = [
      [named, value, ''],
      [{ type: 'object' }, value, ''],
      [{ type: ['object', 'null'] }, value, ''],
      [{ properties: { 'a/b': named } }, { 'a/b': value }, ' at /a~1b'],
      [{ type: 'array', items: named }, [{ code: 'x' }, value], ' at /1'],
      [{ additionalProperties: named }, { a: value }, ' at /a'],
      [{ anyOf: [branch, other] }, { kind: 'a', a: value }, ' at /a'],
      [{ properties: { a: judged } }, { a: value }, ' at /a'],
      [
        { anyOf: [{ properties: { a: judged, b: { minimum: 1 } } }, { properties: { a: judged } }] },
        {
          a: value,
          get b() {
            return 1;
          },
        },
        ' at /a',
      ],
    ];
    for (const [schema, outer, path] of places) {
      const [name, message] = code(schema, outer, { opaque: 'reject' });
      expect([path, name]).toEqual([path, 'VALUE_MISMATCH']);
      expect(message).toContain(`Invalid value${path}: JSON cannot represent ${sentence}`);
      expect(code(schema, outer)[0]).toBe('none');
    }
  });

  test.each(opaque.filter(([, value]) => Object.keys(value).length === 0))(
    "rejects %s with `opaque: 'reject'` where the schema says nothing",
    (_name, value, sentence) => {
      for (const schema of [
        {},
        { type: 'object' },
        { properties: { a: {} } },
        { additionalProperties: { items: {} } },
      ]) {
        const [name, message] = code(schema, { a: [{}, { b: value }] }, { opaque: 'reject' });
        expect([name, message]).toEqual(['VALUE_MISMATCH', expect.stringContaining(sentence)]);
        expect(message).toContain('Invalid value at /a/1/b: ');
      }
    },
  );

  test("writes empty objects with `opaque: 'reject'`, and objects with toJSON", () => {
    class Empty {}
    class Count extends Map {
      toJSON() {
        return { size: this.size };
      }
    }
    const value = { a: {}, b: new Empty(), c: Object.create(null), d: new Count(), e: new Date(0), f: [Object(1)] };
    const named = { properties: { size: { type: 'integer' } } };
    for (const schema of [{}, { properties: { a: named, b: named, c: named, d: named, e: {}, f: {} } }]) {
      expect(write(schema, value, { opaque: 'reject' })).toBe(
        '{"a":{},"b":{},"c":{},"d":{"size":0},"e":"1970-01-01T00:00:00.000Z","f":[1]}',
      );
    }
  });

  test('calls toJSON with its key, and with the value as this', () => {
    class Money {
      constructor(readonly cents: number) {}
      toJSON(key: string) {
        return `${key}:${this.cents}`;
      }
    }
    const schema = {
      type: 'object',
      properties: { price: { type: 'string' }, any: {}, list: { type: 'array', items: { type: 'string' } } },
    };
    const value = { price: new Money(5), any: new Money(6), list: [new Money(7), new Money(8)] };
    expect(write(schema, value)).toBe(JSON.stringify(value));
    expect(write(user, { toJSON: () => ({ id: 1, name: 'a' }) })).toBe('{"id":1,"name":"a"}');
  });

  test('dates', () => {
    const date = new Date(Date.UTC(2024, 1, 29, 12, 30, 1, 5));
    expect(write({ type: 'string', format: 'date-time' }, date)).toBe('"2024-02-29T12:30:01.005Z"');
    expect(write({ type: 'string' }, date)).toBe('"2024-02-29T12:30:01.005Z"');
    expect(write({ type: 'string', format: 'date' }, date)).toBe('"2024-02-29"');
    expect(write({ type: 'string', format: 'time' }, date)).toBe('"12:30:01.005Z"');
    expect(write({ anyOf: [{ type: 'string', format: 'date' }, { type: 'null' }] }, date)).toBe('"2024-02-29"');
    expect(write({ type: ['string', 'null'] }, new Date(Number.NaN))).toBe('null');
    expect(code({ type: 'string' }, new Date(Number.NaN))[0]).toBe('VALUE_MISMATCH');
  });

  test('writes BigInt integers', () => {
    expect(write({ type: 'array', items: { type: 'integer' } }, [2n ** 80n, -1n, 0])).toBe(
      '[1208925819614629174706176,-1,0]',
    );
    expect(write({ type: 'array', items: { type: 'integer' } }, BigInt64Array.of(-5n, 6n))).toBe('[-5,6]');
    expect(write({ type: 'array', items: { type: 'integer' } }, [1e21, -0, 2 ** 53])).toBe(
      '[1e+21,0,9007199254740992]',
    );
    expect(code({ type: 'number' }, 1n)[0]).toBe('VALUE_MISMATCH');
    expect(code({}, { a: 1n })[0]).toBe('VALUE_MISMATCH');
  });

  test('writes typed arrays as arrays where the schema has an array', () => {
    expect(write({ type: 'array', items: { type: 'number' } }, Float32Array.of(0.5, Number.NaN))).toBe('[0.5,null]');
    expect(write({ type: 'array', items: { type: 'integer' } }, Uint8Array.of(1, 255))).toBe('[1,255]');
    expect(write({}, Uint8Array.of(1))).toBe('{"0":1}');
  });

  test('writes only own enumerable properties', () => {
    const optional = { type: 'object', properties: { a: { type: 'number' }, toString: {} } };
    expect(write(optional, Object.create({ a: 1 }))).toBe('{}');
    expect(write(optional, Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
    class Row {
      a = 2;
      get hidden() {
        return 3;
      }
    }
    expect(write({ properties: { a: {}, hidden: {} } }, new Row())).toBe('{"a":2}');
    expect(write(optional, new Proxy({ a: 1 }, {}))).toBe('{"a":1}');
  });

  test('a getter or toJSON may write JSON itself', () => {
    const writer = compileWriter(user, { lane: 'wasm' });
    const value = {
      id: 1,
      get name() {
        return text(writer, { id: 2, name: 'inner' });
      },
    };
    expect(text(writer, value)).toBe(JSON.stringify({ id: 1, name: '{"id":2,"name":"inner"}' }));
    // The inner value is written while the tape is in use.
    expect(writer.explain().fallbacks).toBe(1);
  });

  test('rethrows what a getter throws, and the writer stays usable', () => {
    const writer = compileWriter(user);
    const value = {
      id: 1,
      get name(): string {
        throw new TypeError('mine');
      },
    };
    expect(() => writer.toBytes(value)).toThrow('mine');
    expect(text(writer, { id: 1, name: 'a' })).toBe('{"id":1,"name":"a"}');
  });
});

describe('a value that does not match the schema', () => {
  test('is an error that names the path', () => {
    const rows = { type: 'array', items: user };
    expect(code(rows, [{ id: 1, name: 'a' }, { id: 1 }])).toEqual([
      'VALUE_MISMATCH',
      expect.stringContaining('Missing value at /1/name'),
    ]);
    expect(code(rows, [{ id: '1', name: 'a' }])[1]).toContain('at /0/id: expected an integer, got a string');
    expect(code(rows, [{ id: 1.5, name: 'a' }])[1]).toContain('at /0/id: expected an integer, got 1.5');
    expect(code(rows, [{ id: Number.NaN, name: 'a' }])[0]).toBe('VALUE_MISMATCH');
    expect(code(rows, [{ id: 1, name: 'a', tags: ['x', null] }])[1]).toContain(
      'at /0/tags/1: expected a string, got null',
    );
    expect(code(rows, [null])[1]).toContain('at /0: expected an object, got null');
    expect(code(rows, {})[1]).toContain('Invalid value: expected an array, got an object');
    expect(code(user, [])[0]).toBe('VALUE_MISMATCH');
    expect(code(user, undefined)[0]).toBe('VALUE_MISMATCH');
    expect(code({}, undefined)[0]).toBe('VALUE_MISMATCH');
    expect(code({ type: 'object', properties: { 'a/b~c': { type: 'null' } } }, { 'a/b~c': 1 })[1]).toContain(
      'at /a~1b~0c: expected null, got 1',
    );
    expect(code({ const: 'x' }, 'y')[0]).toBe('VALUE_MISMATCH');
    expect(code({ enum: ['x', 1] }, '1')[1]).toContain('"x" or 1');
    expect(code({ anyOf: [{ type: 'string' }, { type: 'null' }] }, 3)[1]).toContain('a string or null');
    expect(code({ type: 'array', prefixItems: [{}], items: false }, [1, 2])[0]).toBe('VALUE_MISMATCH');
    expect(code({ type: 'array', items: { type: 'number' }, minItems: 2 }, [1])[1]).toContain(
      'expected at least 2 items, got 1',
    );
    expect(code({ properties: { a: false } }, { a: 1 })[0]).toBe('VALUE_MISMATCH');
  });

  test('is converted only on request', () => {
    const schema = {
      type: 'object',
      properties: { n: { type: 'number' }, s: { type: 'string' }, b: { type: 'boolean' }, i: { type: 'integer' } },
    };
    const value = { n: '1.5', s: 5, b: 1, i: '7' };
    expect(code(schema, value)[0]).toBe('VALUE_MISMATCH');
    expect(write(schema, value, { coerce: true })).toBe('{"n":1.5,"s":"5","b":true,"i":7}');
    expect(code(schema, { n: 'x' }, { coerce: true })[0]).toBe('VALUE_MISMATCH');
  });
});

describe('properties that the schema does not list', () => {
  const value = { id: 1, name: 'a', secret: 'x' };
  test('are left out, written or rejected', () => {
    expect(write(user, value)).toBe('{"id":1,"name":"a"}');
    expect(write(user, value, { unlisted: 'write' })).toBe('{"id":1,"name":"a","secret":"x"}');
    expect(code(user, value, { unlisted: 'reject' })[1]).toContain(
      'Unexpected property at /secret: the schema does not allow it',
    );
    expect(code({ ...user, additionalProperties: false }, value)[0]).toBe('VALUE_MISMATCH');
    expect(write({ ...user, additionalProperties: false }, { id: 1, name: 'a' })).toBe('{"id":1,"name":"a"}');
    expect(write({ ...user, additionalProperties: { type: 'string' } }, value)).toBe(
      '{"id":1,"name":"a","secret":"x"}',
    );
    expect(code({ ...user, additionalProperties: { type: 'number' } }, value)[1]).toContain('/secret');
    expect(write({ type: 'object' }, value)).toBe(JSON.stringify(value));
    expect(
      write({ patternProperties: { '^s': { type: 'string' }, '^n': { type: 'string' } } }, { name: 'a', secret: 'b' }),
    ).toBe('{"name":"a","secret":"b"}');
    expect(write({ additionalProperties: {} }, { a: undefined, b: () => 1, '"': 2 })).toBe('{"\\"":2}');
  });
});
