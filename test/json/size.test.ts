import { describe, expect, test } from '@jest/globals';
import { CoreMemory } from '../../build/src/core/index.js';
import { compileWriter } from '../../build/src/json/index.js';
import { unlessExhausted } from '../../build/src/json/tape.js';
import { text, write } from './lanes.js';

const string = { type: 'string' };
const integer = { type: 'integer' };
const keys = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`);
const each = <T>(names: string[], make: (name: string, i: number) => T): Record<string, T> =>
  Object.fromEntries(names.map((name, i) => [name, make(name, i)]));

/** Names that V8, the runtime or the generated code use. */
const NAMES = [
  'f64',
  'i32',
  'u8',
  't',
  'n',
  'c',
  'bytes',
  'env',
  'eval',
  'arguments',
  'let',
  'position',
  '$0',
  '$x',
  '$key',
  'F',
  'units',
  'odd',
  'str',
];

describe('schemas of any width', () => {
  for (const count of [1, 39, 40, 47, 48, 49, 62, 65, 96, 97, 1000]) {
    test(`${count} required, optional, or mixed keys`, () => {
      const names = keys(count);
      const value = each(names, (_, i) => i);
      const properties = each(names, () => integer);
      for (const required of [names, [], names.filter((_, i) => i % 3 === 0), names.slice(-1)]) {
        const schema = { type: 'object', properties, required };
        expect(write(schema, value)).toBe(JSON.stringify(value));
        expect(write({ ...schema, additionalProperties: false }, value)).toBe(JSON.stringify(value));
        const sparse = each(
          names.filter((name, i) => required.includes(name) || i % 2 === 1),
          () => 7,
        );
        const inOrder = each(
          names.filter((name) => name in sparse),
          () => 7,
        );
        expect(write(schema, sparse)).toBe(JSON.stringify(inOrder));
        expect(write({ ...schema, additionalProperties: string }, { ...sparse, more: 'x' })).toBe(
          JSON.stringify({ ...inOrder, more: 'x' }),
        );
      }
    });
  }

  test('an enum of any length', () => {
    for (const count of [2, 64, 249, 5000]) {
      const values = keys(count);
      const schema = { type: 'array', items: { enum: values } };
      expect(write(schema, values)).toBe(JSON.stringify(values));
    }
  });

  test('names that the runtime and the language use', () => {
    const value = each(NAMES, (name) => [{ x: name }]);
    const row = { type: 'object', properties: { x: { enum: NAMES } }, required: ['x'] };
    const schema = { type: 'object', properties: each(NAMES, () => ({ type: 'array', items: row })), required: NAMES };
    expect(write(schema, value)).toBe(JSON.stringify(value));
  });

  test('keys that would end a string or a line of the code', () => {
    const value = { '"': 1, "'": 2, '\\': 3, '\n': 4, '\u2028': 5, '`${x}`': 6, '*/': 7, '</script>': 8 };
    const schema = {
      type: 'object',
      properties: each(Object.keys(value), () => integer),
      required: Object.keys(value),
    };
    expect(write(schema, value)).toBe(JSON.stringify(value));
  });

  test('many integers before an array of objects', () => {
    const names = keys(30);
    const schema = {
      type: 'object',
      properties: {
        ...each(names, () => integer),
        rows: { type: 'array', items: { properties: { x: string }, required: ['x'] } },
      },
      required: [...names, 'rows'],
    };
    const value = { ...each(names, (_, i) => i), rows: [{ x: 'a' }, { x: 'b' }] };
    expect(write(schema, value)).toBe(JSON.stringify(value));
    expect(compileWriter(schema, { lane: 'wasm' }).explain().lane).toBe('wasm');
  });
});

describe('schemas with shared parts', () => {
  /** Each level refers to the next one twice: expanded as a tree, it has 2 to the power of `levels` leaves. */
  const shared = (levels: number) => ({
    $ref: '#/$defs/d0',
    $defs: {
      ...each(
        Array.from({ length: levels }, (_, i) => `d${i}`),
        (_, i) => ({
          type: 'object',
          properties: { a: { $ref: `#/$defs/d${i + 1}` }, b: { $ref: `#/$defs/d${i + 1}` } },
        }),
      ),
      [`d${levels}`]: { type: 'object', properties: { x: integer } },
    },
  });
  const codeOf = (schema: unknown) => compileWriter(schema, { lane: 'wasm' }).debug().code.join('\n').length;

  test('compile to code that grows with the schema, not with its paths', () => {
    expect(codeOf(shared(40))).toBeLessThan(2.2 * codeOf(shared(20)));
    let value: object = { x: 1 };
    for (let level = 0; level < 40; level++) value = { a: value };
    expect(write(shared(40), value)).toBe(JSON.stringify(value));
  });

  test('do so even if parts are shared as objects, or through allOf', () => {
    const chain = (levels: number, join: (next: object) => object) => {
      let schema: object = { type: 'object', properties: { x: integer } };
      for (let level = 0; level < levels; level++)
        schema = { type: 'object', properties: { a: join(schema), b: join(schema) } };
      return schema;
    };
    for (const join of [(next: object) => next, (next: object) => ({ allOf: [next, { properties: { y: string } }] })]) {
      expect(codeOf(chain(24, join))).toBeLessThan(2.5 * codeOf(chain(12, join)));
    }
  });

  test('a union refers to its branches', () => {
    const leaf = { type: 'object', properties: each(keys(40), () => string) };
    const places = (count: number) => ({
      type: 'object',
      properties: each(keys(count), () => ({ oneOf: [{ $ref: '#/$defs/leaf' }, { type: 'null' }] })),
      $defs: { leaf },
    });
    expect(codeOf(places(40)) - codeOf(places(20))).toBeLessThan(20 * 1000);
  });
});

describe('the tape after containers', () => {
  const number = { type: 'number' };
  /** Fewer values than the generated code writes without checking the tape. */
  const rest = keys(37);
  /** Numbers are stored after the tape, so a tape that is too long would overwrite them. */
  const around = (inner: object | undefined, level: number) => ({
    first: level + 0.5,
    ...(inner === undefined ? {} : { next: inner }),
    ...each(rest, (_, i) => level * 100 + i + 0.25),
  });
  const node = (next: object) => ({ type: 'object', properties: { first: number, next, ...each(rest, () => number) } });
  const values = (depth: number) => {
    let value: object | undefined;
    for (let level = 0; level < depth; level++) value = around(value, level);
    return value;
  };

  test('does not overflow, however deep a recursive value is', () => {
    for (const depth of [5, 6, 7, 8, 20, 100, 900]) {
      const value = values(depth);
      expect(write(node({ $ref: '#' }), value)).toBe(JSON.stringify(value));
    }
  });

  test('does not overflow, however deep the schema is', () => {
    for (const depth of [5, 6, 7, 8, 20, 60]) {
      let schema = node({});
      for (let level = 1; level < depth; level++) schema = node(schema);
      const value = values(depth);
      expect(write(schema, value)).toBe(JSON.stringify(value));
    }
  });

  test('does not overflow if there are only brackets', () => {
    const schemas = [
      { type: 'object', properties: { first: number, next: { $ref: '#' } } },
      { type: ['array', 'number'], items: { $ref: '#' } },
      { oneOf: [{ type: 'object', properties: { first: number, next: { $ref: '#' } } }, { type: 'null' }] },
      { type: 'object', patternProperties: { '^n': { $ref: '#' } }, additionalProperties: number },
    ];
    for (const [i, schema] of schemas.entries()) {
      let value: unknown = i === 1 ? 0.5 : { first: 0.5 };
      for (let level = 1; level < 950; level++)
        value = i === 1 ? [level + 0.5, value] : { first: level + 0.5, next: value };
      expect(write(schema, value) === JSON.stringify(value)).toBe(true);
    }
  });
});

describe('unions of recursive schemas', () => {
  const tree = {
    $ref: '#/$defs/tree',
    $defs: {
      tree: {
        anyOf: [
          { type: 'object', properties: { next: { $ref: '#/$defs/tree' }, x: { const: 1 } } },
          { type: 'object', properties: { next: { $ref: '#/$defs/tree' }, y: { const: 2 } } },
          {
            type: 'object',
            properties: { next: { $ref: '#/$defs/tree' }, z: { type: 'array', items: { $ref: '#/$defs/tree' } } },
          },
        ],
      },
    },
  };
  const nested = (depth: number, last: object) => {
    let value = last;
    for (let level = 0; level < depth; level++) value = { next: value, ...(level % 2 ? { x: 1 } : { y: 2 }) };
    return value;
  };

  test('take time linear in the value', () => {
    // With two or three attempts at each of 200 levels, this would not end.
    const value = nested(200, { z: [{}, { x: 1 }] });
    expect(JSON.parse(write(tree, value))).toEqual(value);
  });

  test('take linear time even if no level matches, or with getters', () => {
    expect(() => compileWriter(tree).toBytes(nested(200, { x: 0, y: 0, z: 0 }) as never)).toThrow(/schema/);
    const last = Object.defineProperty({}, 'x', { enumerable: true, get: () => 1 });
    expect(text(compileWriter(tree), nested(100, last))).toContain('"x":1');
  });
});

describe('a nearly full stack', () => {
  test('fails the value, but no later one', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(2048);
    // Code nested so deeply that V8 needs more stack to compile it than was left at the call.
    let part: object = integer;
    let inner: unknown = 1;
    for (let level = 0; level < 200; level++) {
      part = { type: 'object', properties: { x: part, ...each(keys(level === 199 ? 40 : 0), () => integer) } };
      inner = { x: inner };
    }
    const properties = { a: { $ref: '#/$defs/part' }, b: { $ref: '#/$defs/part' } };
    const writer = compileWriter({ type: 'object', properties, $defs: { part } }, { lane: 'wasm' });
    const value = { a: inner };
    writer.toBytes(value as never);
    writer.write(core, start, start + 2048, {} as never);
    // The remaining memory is enough for the code once, but not for every failed compilation.
    while (unlessExhausted(() => core.allocate(1 << 16)) !== undefined);
    let failures = 0;
    /** Tries to write at the end of the stack, then further and further before it. */
    const write = (): number => {
      try {
        return write();
      } catch {
        failures++;
        return writer.write(core, start, start + 2048, value as never);
      }
    };
    expect(core.bytes.toString('utf8', start, write())).toBe(JSON.stringify(value));
    expect(failures).toBeGreaterThan(1);
    const { lane, fallbacks } = writer.explain();
    expect(lane).toBe('wasm');
    expect(core.bytes.toString('utf8', start, writer.write(core, start, start + 2048, value as never))).toBe(
      JSON.stringify(value),
    );
    expect(writer.explain().fallbacks).toBe(fallbacks);
  });
});

describe('the memory of constants', () => {
  const schemaOf = (i: number) => ({ type: 'object', properties: { [`key ${i}`]: integer, name: string } });

  test('is reused once its writers are gone', async () => {
    const core = CoreMemory.create(400_000);
    const start = core.allocate(1024);
    // A writer takes at least 256 bytes: without reuse, 400 kB would be used up after at most 1,600 writers.
    let last = '';
    for (let i = 0; i < 2500; i++) {
      const writer = compileWriter(schemaOf(i), { lane: 'wasm' });
      writer.write(core, start, start + 1024, { [`key ${i}`]: i, name: 'x' } as never);
      last = writer.explain().lane;
      if (i % 200 === 0) await collected();
    }
    expect(last).toBe('wasm');
  });

  test('explain reports that it ran out while a schema was written', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(1024);
    const names = keys(3000);
    // The code of the part is generated, and its constants are stored, when a value first has the part.
    const part = { type: 'object', properties: each(names, () => integer), required: names };
    const schema = {
      properties: { a: integer, b: { $ref: '#/$defs/part' }, c: { $ref: '#/$defs/part' } },
      $defs: { part },
    };
    const writer = compileWriter(schema, { lane: 'wasm' });
    expect(core.bytes.toString('utf8', start, writer.write(core, start, start + 1024, { a: 1 } as never))).toBe(
      '{"a":1}',
    );
    for (let bytes = core.buffer.byteLength; bytes >= 8; bytes /= 2) {
      while (unlessExhausted(() => core.allocate(bytes)) !== undefined);
    }
    expect(writer.explain()).toMatchObject({ lane: 'wasm', fallbacks: 0 });
    const value = { a: 1, b: each(names, (_, i) => i) };
    const bytes = writer.writeOrSpill(core, start, start + 1024, value as never) as Uint8Array;
    expect(Buffer.from(bytes).toString()).toBe(JSON.stringify(value));
    expect(writer.explain()).toEqual({ lane: 'v8', reason: expect.stringContaining('no room left'), fallbacks: 1 });
    expect(text(writer, value)).toBe(JSON.stringify(value));
    // This memory has free space. What matters is the memory that the value was last written to.
    expect(writer.explain().lane).toBe('wasm');
  });

  test('explain reports that it ran out', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(1024);
    core.allocate(core.buffer.byteLength - start - 1024);
    const writer = compileWriter(schemaOf(0), { lane: 'wasm' });
    expect(writer.explain().lane).toBe('wasm');
    const end = writer.write(core, start, start + 1024, { 'key 0': 1 } as never);
    expect(core.bytes.toString('utf8', start, end)).toBe('{"key 0":1}');
    expect(writer.explain()).toMatchObject({ lane: 'v8', reason: expect.stringContaining('no room left') });
  });
});

/** Runs the garbage collector and its finalizers. */
async function collected(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await new Promise((resolve) => setImmediate(resolve));
}
