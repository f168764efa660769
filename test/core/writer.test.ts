import { expect, test } from '@jest/globals';
import { CoreMemory, Writer } from 'loopshard/core';

const CANARY = 0xa5;

function setUp(bytes: number) {
  const core = CoreMemory.create(10_000);
  const region = core.allocate(1_024);
  core.u8.fill(CANARY, region, region + 1_024);
  const writer = new Writer(core, region + 128, bytes);
  const text = () => Buffer.from(writer.view()).toString();
  const canaries = () =>
    core.u8.slice(region, region + 128).every((byte) => byte === CANARY) &&
    core.u8.slice(region + 128 + bytes, region + 1_024).every((byte) => byte === CANARY);
  return { writer, text, canaries };
}

test.each([0, -0, 7, 10, 99, 100, -1, 12_345, -999_999, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1])(
  'integer %s',
  (value) => {
    const { writer, text } = setUp(32);
    expect(writer.integer(value)).toBe(true);
    expect(text()).toBe(JSON.stringify(value));
  },
);

test.each([
  '',
  'plain',
  'a "quote" and \\',
  '\b\t\n\f\r\0\x1f\x7f',
  'grüße 漢字 👍',
  'lone \ud800 surrogate',
  '</script>',
])('string %j', (value) => {
  const { writer, text } = setUp(200);
  expect(writer.string(value)).toBe(true);
  expect(text()).toBe(JSON.stringify(value));
});

test('writes the whole value if it fits, and nothing otherwise, for every buffer size', () => {
  const value = 'ab"\n\x01ü\\end';
  const whole = JSON.stringify(value);
  const needed = Buffer.byteLength(whole);
  for (let size = 0; size <= needed + 8; size++) {
    const { writer, text, canaries } = setUp(size);
    expect(writer.string(value)).toBe(size >= needed);
    expect(text()).toBe(size >= needed ? whole : '');
    expect(canaries()).toBe(true);
  }
  for (let size = 0; size < 6; size++) {
    const { writer, canaries } = setUp(size);
    expect(writer.integer(-1_234)).toBe(size >= 5);
    expect(writer.raw(Buffer.from('abc'))).toBe(size >= 8 || (size < 5 && size >= 3));
    expect(canaries()).toBe(true);
  }
});

test('appends pieces, and starts over after reset', () => {
  const { writer, text } = setUp(100);
  writer.byte(0x7b);
  writer.string('n');
  writer.byte(0x3a);
  writer.integer(5);
  writer.raw(Buffer.from('}'));
  expect(text()).toBe('{"n":5}');
  expect(writer.length).toBe(7);
  writer.reset();
  expect(writer.length).toBe(0);
  expect(() => writer.integer(1.5)).toThrow(RangeError);
});
