import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { CoreMemory } from 'loopshard/core';
import { compileWriter, jsonBytes } from 'loopshard/json';
import { text, user } from './lanes.js';

describe('without a server', () => {
  test('jsonBytes, with and without a schema', () => {
    expect(Buffer.from(jsonBytes({ a: [1, 'x'] })).toString()).toBe('{"a":[1,"x"]}');
    expect(Buffer.from(jsonBytes({ id: 1, name: 'a' }, user)).toString()).toBe('{"id":1,"name":"a"}');
    expect(jsonBytes(1).buffer.byteLength).toBe(1);
  });

  test('writeInto writes to private and shared memory', () => {
    const writer = compileWriter(user);
    const target = new Uint8Array(40);
    const end = writer.writeInto(target, 3, { id: 1, name: 'ab' });
    expect(Buffer.from(target.subarray(3, end)).toString()).toBe('{"id":1,"name":"ab"}');
    expect(writer.writeInto(target, 30, { id: 1, name: 'ab' })).toBe(0);
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(64);
    const behind = writer.writeInto(core, start, { id: 2, name: 'c' });
    expect(core.bytes.toString('utf8', start, behind)).toBe('{"id":2,"name":"c"}');
    expect(() => writer.writeInto(target, 41, { id: 1, name: '' })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  test('writes outputs larger than any region', () => {
    const rows = Array.from({ length: 120_000 }, (_, id) => ({ id, name: `name ${id}`, tags: ['é'] }));
    const schema = { type: 'array', items: user };
    expect(text(compileWriter(schema), rows) === JSON.stringify(rows)).toBe(true);
  });

  test('exhausted memory costs speed, but changes no output', () => {
    const core = CoreMemory.create(1);
    const start = core.allocate(1024);
    core.allocate(core.buffer.byteLength - start - 1024);
    const writer = compileWriter(user);
    const end = writer.write(core, start, start + 1024, { id: 1, name: 'a' });
    expect(core.bytes.toString('utf8', start, end)).toBe('{"id":1,"name":"a"}');
    expect(writer.write(core, start, start + 5, { id: 1, name: 'a' })).toBe(0);
  });

  test('works where generating code is forbidden', () => {
    const script = `import('${new URL('../../build/dist/json/index.js', import.meta.url)}').then(({ compileWriter }) => {
      const writer = compileWriter({ type: 'array', items: { type: 'number' } });
      const { lane, reason } = writer.explain();
      process.stdout.write([Buffer.from(writer.toBytes([1, 2.5])), lane, reason].join(' '));
    });`;
    const { stdout } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '-e', script]);
    expect(stdout.toString()).toBe('[1,2.5] v8 This process forbids generating code from strings.');
  });

  test('works where the system has no address space for shared memory', () => {
    // The error that V8 throws when the address space is limited.
    const script = `WebAssembly.Memory = class { constructor() { throw new RangeError('could not allocate memory'); } };
    import('${new URL('../../build/dist/json/index.js', import.meta.url)}').then(({ compileWriter, JsonWriter }) => {
      const writer = compileWriter({ type: 'array', items: { type: 'string' } });
      const value = Array(30_000).fill('0123456789');
      const isSame = Buffer.from(writer.toBytes(value)).toString() === JSON.stringify(value);
      const direct = new JsonWriter().beginArray().string('x').number(1.5).numbers(Float64Array.of(1)).endArray().finish();
      process.stdout.write([isSame, writer.explain().lane, Buffer.from(direct)].join(' '));
    });`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script]);
    expect(stderr.toString()).toBe('');
    expect(stdout.toString()).toBe('true v8 ["x",1.5,[1]]');
  });

  test('reads a response once even if it outgrows its region', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(1024);
    const rows = Array.from({ length: 500 }, (_, id) => ({ id, name: `name ${id}`, tags: ['é'] }));
    const draining = { rows: [...rows] };
    const value = {
      get rows() {
        return draining.rows.splice(0);
      },
    };
    const writer = compileWriter({ type: 'object', properties: { rows: { type: 'array', items: user } } });
    const bytes = writer.writeOrSpill(core, start, start + 1024, value as never);
    expect(Buffer.from(bytes as Uint8Array).toString()).toBe(JSON.stringify({ rows }));
    expect(writer.writeOrSpill(core, start, start + 1024, { rows: [] } as never)).toBe(start + '{"rows":[]}'.length);
  });

  test('a value that fails halfway leaves no bytes behind', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(1024);
    const writer = compileWriter({ type: 'array', items: user }, { lane: 'wasm' });
    const good = { id: 1, name: 'a', tags: Array(1000).fill('a longer string of some kind') };
    const failing: unknown[] = [
      [good, { id: 1 }],
      [
        good,
        {
          id: 1,
          get name() {
            throw new TypeError('mine');
          },
        },
      ],
    ];
    for (const value of failing) {
      expect(() => writer.writeOrSpill(core, start, start + 1024, value as never)).toThrow();
      expect(writer.writeOrSpill(core, start, start + 1024, [] as never)).toBe(start + 2);
      expect(writer.write(core, start, start + 1024, [good] as never)).toBe(0);
      expect(writer.writeOrSpill(core, start, start + 1024, [] as never)).toBe(start + 2);
      expect(text(writer, [good])).toBe(JSON.stringify([good]));
    }
  });

  test('debug shows the plan with its decisions, and the code', () => {
    const kind = { type: 'object', properties: { kind: { const: 'x' } }, required: ['kind'] };
    const schema = {
      type: 'object',
      properties: {
        kids: { type: 'array', items: { $ref: '#' } },
        shape: { oneOf: [user, kind] },
        kind: { enum: ['a', null] },
      },
      required: ['kind'],
      additionalProperties: { type: 'string' },
    };
    const plan = `#1 an object
  "kids"?: #2 an array
    items: as #1
  "shape"?: #3 an object
    one, branch 0: #4 an object
      "id": an integer
      "name": a string
      "tags"?: #5 an array
        items: a string
    one, branch 1: #6 an object
      "kind": "x"
  "kind": null or "a"
  other properties: a string`;
    const [wasm, v8] = (['wasm', 'v8'] as const).map((lane) => compileWriter(schema, { lane }).debug());
    expect(wasm).toEqual({ plan, code: [expect.stringContaining('"kids"')] });
    expect(v8).toEqual({ plan, code: [] });
  });

  test('explain counts the values that the lane could not write', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(1 << 15);
    const list = { type: 'array', items: { type: 'integer' } };
    const writer = compileWriter({ type: 'object', properties: { text: { type: 'string' }, list } }, { lane: 'wasm' });
    const write = (value: object) => writer.writeOrSpill(core, start, start + (1 << 15), value);
    write({ text: 'fine' });
    expect(writer.explain()).toMatchObject({ lane: 'wasm', fallbacks: 0 });
    write({ text: 'lone \ud800' });
    expect(writer.explain().fallbacks).toBe(1);
    write({ text: 'fine' });
    // Spilled values are counted separately.
    expect(write({ list: Array.from({ length: 10_000 }, (_, i) => i) })).toBeInstanceOf(Uint8Array);
    expect(writer.explain().fallbacks).toBe(1);
  });
});
