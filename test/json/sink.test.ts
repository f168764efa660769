import { describe, expect, test } from '@jest/globals';
import { CoreMemory } from 'loopshard/core';
import { compileWriter } from 'loopshard/json';
import { Random, SEED } from './random.js';

const CANARY = 0xa5;
const MARGIN = 64;
const ROUNDS = 150;

const string = { type: 'string' };
const schema = {
  type: 'object',
  properties: {
    long: string,
    rows: { type: 'array', items: { type: 'object', properties: { id: { type: 'integer' }, name: string } } },
    escaped: string,
    vector: { type: 'array', items: { type: 'number' } },
    lone: string,
    other: {},
    last: { type: 'boolean' },
  },
};
/** Long strings are written at once, and the rows exceed the tape: this causes several flushes of every kind. */
const value = {
  long: 'x'.repeat(1000),
  rows: Array.from({ length: 1000 }, (_, id) => ({ id, name: id % 7 === 0 ? `näme ${id}` : 'name' })),
  escaped: 'é"\n'.repeat(300),
  vector: Array.from({ length: 300 }, (_, i) => i + 0.5),
  lone: `\ud800 ${'lone'.repeat(100)}`,
  other: { text: '日本'.repeat(300) },
  last: true,
};
const expected = JSON.stringify(value);
const size = Buffer.byteLength(expected);

describe('a value that may outgrow its region', () => {
  const core = CoreMemory.create(1 << 20);
  const start = core.allocate(size + 3 * MARGIN) + MARGIN;
  const random = new Random(SEED);
  const rooms = [0, 1, 2, 16, 100, 1000, size - 1, size, size + MARGIN];
  for (let round = 0; round < ROUNDS; round++) rooms.push(random.below(size));

  for (const lane of ['wasm', 'v8'] as const) {
    test(`keeps every byte, inside and outside the region, lane ${lane}`, () => {
      const writer = compileWriter(schema, { lane });
      for (const room of rooms) {
        core.bytes.fill(CANARY, start - MARGIN, start + size + 2 * MARGIN);
        const end = writer.writeOrSpill(core, start, start + room, value);
        expect(typeof end).toBe(room < size ? 'object' : 'number');
        const text = typeof end === 'number' ? core.bytes.toString('utf8', start, end) : Buffer.from(end).toString();
        expect(text === expected).toBe(true);
        expect(core.bytes.subarray(start - MARGIN, start).every((byte) => byte === CANARY)).toBe(true);
        const behind = core.bytes.subarray(start + room, start + size + 2 * MARGIN);
        expect(behind.every((byte) => byte === CANARY)).toBe(true);
        expect(writer.write(core, start, start + room, value)).toBe(room < size ? 0 : start + size);
      }
      expect(writer.explain().lane).toBe(lane);
    });
  }

  test('gets its own bytes, which the next value does not change', () => {
    const writer = compileWriter(schema, { lane: 'wasm' });
    const first = writer.writeOrSpill(core, start, start + 1000, value) as Uint8Array;
    writer.writeOrSpill(core, start, start + 1000, { ...value, long: 'y'.repeat(1000) });
    expect(Buffer.from(first).toString() === expected).toBe(true);
  });
});
