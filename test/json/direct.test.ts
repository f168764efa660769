import { describe, expect, test } from '@jest/globals';
import { CoreMemory } from 'loopshard/core';
import { JsonWriter, type JsonWriterOptions } from 'loopshard/json';
import { Random, SEED } from './random.js';

const CANARY = 0x5a;

function document(writer: JsonWriter): JsonWriter {
  return writer
    .beginObject()
    .key('rows')
    .beginArray()
    .beginObject()
    .key('id')
    .integer(7)
    .key('näme "x"')
    .string('日本語 \ud800 😀 \n')
    .endObject()
    .null()
    .boolean(true)
    .boolean(false)
    .beginArray()
    .endArray()
    .endArray()
    .key('vector')
    .numbers(Float32Array.of(0.1, 2, Number.NaN, -0))
    .key('price')
    .number(12.5)
    .key('big')
    .integer(12345678901234567890n)
    .key('raw')
    .raw(Buffer.from('{"a":1}'))
    .key('any')
    .value({ date: new Date(0) })
    .endObject();
}

const TEXT = `{"rows":[{"id":7,"näme \\"x\\"":${JSON.stringify('日本語 \ud800 😀 \n')}},null,true,false,[]],"vector":[${Math.fround(0.1)},2,null,0],"price":12.5,"big":12345678901234567890,"raw":{"a":1},"any":{"date":"1970-01-01T00:00:00.000Z"}}`;

describe('the direct writer', () => {
  test('writes a document into private memory', () => {
    const bytes = document(new JsonWriter()).finish();
    expect(Buffer.from(bytes).toString()).toBe(TEXT);
  });

  test('writes into its region, continues in private memory, and never exceeds the limit', () => {
    const core = CoreMemory.create(1 << 20);
    const start = core.allocate(4096);
    const size = Buffer.byteLength(TEXT);
    for (let room = 0; room < size + 70; room++) {
      core.bytes.fill(CANARY, start, start + 4096);
      const writer = document(new JsonWriter({ core, position: start + 64, limit: start + 64 + room }));
      expect(Buffer.from(writer.finish()).toString()).toBe(TEXT);
      expect(writer.length).toBe(size);
      if (writer.inPlace) expect(writer.position).toBe(start + 64 + size);
      if (room >= size + 64) expect(writer.inPlace).toBe(true);
      expect(core.bytes.subarray(start, start + 64).every((byte) => byte === CANARY)).toBe(true);
      expect(core.bytes.subarray(start + 64 + room, start + 4096).every((byte) => byte === CANARY)).toBe(true);
    }
  });

  test('grows without bound, whatever the size of the region', () => {
    const random = new Random(SEED);
    const core = CoreMemory.create(1 << 20);
    const position = core.allocate(65536);
    const vector = Float64Array.from({ length: 5000 }, () => random.double());
    const long = 'é"\n'.repeat(20_000);
    for (const bytes of [0, 10, 100, 5000, 65536]) {
      const options: JsonWriterOptions = { core, position, limit: position + bytes };
      const writer = new JsonWriter(options).beginArray().numbers(vector).string(long).numbers(vector).endArray();
      const values = Array.from(vector);
      expect(Buffer.from(writer.finish()).toString() === JSON.stringify([values, long, values])).toBe(true);
    }
  });

  test('returns regions, and works without one when none is free', () => {
    const open = Array.from({ length: 300 }, (_, i) => new JsonWriter().beginArray().number(i));
    for (const [i, writer] of open.entries()) expect(Buffer.from(writer.endArray().finish()).toString()).toBe(`[${i}]`);
  });

  test('rejects calls that would produce invalid JSON', () => {
    const wrong: ((writer: JsonWriter) => unknown)[] = [
      (writer) => writer.finish(),
      (writer) => writer.key('a'),
      (writer) => writer.endArray(),
      (writer) => writer.null().null(),
      (writer) => writer.beginObject().number(1),
      (writer) => writer.beginObject().endArray(),
      (writer) => writer.beginArray().endObject(),
      (writer) => writer.beginArray().key('a'),
      (writer) => writer.beginObject().key('a').endObject(),
      (writer) => writer.beginObject().key('a').key('b'),
      (writer) => writer.beginObject().finish(),
    ];
    for (const steps of wrong) {
      expect(() => steps(new JsonWriter())).toThrow(expect.objectContaining({ code: 'NESTING_INVALID' }));
    }
    const deep = new JsonWriter({ maxDepth: 2 }).beginArray().beginArray();
    expect(() => deep.beginArray()).toThrow(expect.objectContaining({ code: 'DEPTH_EXCEEDED' }));
    expect(Buffer.from(deep.endArray().null().endArray().finish()).toString()).toBe('[[],null]');
  });

  test('rejects values of the wrong type before it writes anything', () => {
    const writer = new JsonWriter().beginArray();
    const loose = writer as unknown as Record<string, (value?: unknown) => unknown>;
    for (const [method, value] of [
      ['string', 1],
      ['number', '1'],
      ['integer', 1.5],
      ['boolean', 0],
      ['raw', 'x'],
      ['numbers', [1]],
      ['numbers', new BigInt64Array(1)],
      ['value', undefined],
    ] as const) {
      expect(() => loose[method](value)).toThrow(expect.objectContaining({ code: 'VALUE_MISMATCH' }));
    }
    expect(Buffer.from(writer.endArray().finish()).toString()).toBe('[]');
    for (const [options, code] of [
      [{ core: CoreMemory.create(1) }, 'OPTION_INVALID'],
      [{ maxDepth: -1 }, 'OPTION_INVALID'],
      [{ opaque: 'omit' }, 'OPTION_INVALID'],
      [{ depth: 3 }, 'OPTION_UNKNOWN'],
    ] as const) {
      expect(() => new JsonWriter(options as never)).toThrow(expect.objectContaining({ code }));
    }
  });
});
