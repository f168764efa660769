import { describe, expect, test } from '@jest/globals';
import { CoreMemory } from 'loopshard/core';
import { compileWriter } from 'loopshard/json';
import { Random, SEED } from './random.js';

const BYTES = 1 << 18;
/** Leaves room for the tape as well; otherwise no text would pass through it. */
const core = CoreMemory.create(BYTES * 4);
const source = core.allocate(BYTES);
const target = core.allocate(BYTES);
const writer = compileWriter({ type: 'string' }, { lane: 'wasm' });

function written(value: string): string {
  const end = writer.write(core, target, target + BYTES, value);
  expect(writer.explain().lane).toBe('wasm');
  return core.bytes.toString('utf8', target, end);
}

/** Joins many short texts so that one write checks them all. Searches for the faulty text only on failure. */
function compare(texts: string[]): void {
  const all = texts.join(' ');
  if (written(all) === JSON.stringify(all)) return;
  for (const text of texts) expect(written(text)).toBe(JSON.stringify(text));
  throw new Error('The texts are wrong when written together, but each is right alone.');
}

describe('strings are quoted as JSON.stringify quotes them', () => {
  test('every code point', () => {
    for (let start = 0; start < 0x110000; start += 4096) {
      const texts = Array.from({ length: 4096 }, (_, i) => String.fromCodePoint(start + i));
      compare(texts);
    }
  }, 60_000);

  test('every code unit alone, in short strings', () => {
    for (let unit = 0; unit < 0x10000; unit += 7) {
      const text = String.fromCharCode(unit);
      expect(written(text)).toBe(JSON.stringify(text));
    }
  });

  test('surrogates in every combination', () => {
    const kinds = ['\ud800', '\udbff', '\udc00', '\udfff', '\ud83d', '\ude00', 'a', 'é', '"', '漢', ''];
    for (const a of kinds) {
      for (const b of kinds) {
        for (const c of kinds) {
          for (const long of ['', 'x'.repeat(30)]) {
            const text = long + a + b + c;
            expect(written(text)).toBe(JSON.stringify(text));
          }
        }
      }
    }
  });

  test('a surrogate is never paired with one of a neighbouring string', () => {
    const list = compileWriter({ type: 'array', items: { type: 'string' } }, { lane: 'wasm' });
    for (const pad of ['', 'é', 'x'.repeat(20)]) {
      const value = [`${pad}\ud83d`, `\ude00${pad}`, `${pad}😀`, 'é', `${pad}\ud83d`, '', '\ude00'];
      const end = list.write(core, target, target + BYTES, value);
      expect(core.bytes.toString('utf8', target, end)).toBe(JSON.stringify(value));
    }
  });

  test('no bytes of earlier texts leak into later ones', () => {
    const pair = compileWriter({ type: 'array', prefixItems: [{}, { type: 'boolean' }] }, { lane: 'wasm' });
    for (let before = 0; before < 3; before++) {
      for (let units = 0; units < 100; units++) {
        for (const value of [`${'x'.repeat(before)}${'漢'.repeat(80)}`, `é${'y'.repeat(units)}`]) {
          const list = [[value], true];
          const end = pair.write(core, target, target + BYTES, list as never);
          expect(core.bytes.toString('utf8', target, end)).toBe(JSON.stringify(list));
        }
      }
    }
  });

  test('long texts, cut anywhere', () => {
    const random = new Random(SEED);
    const alphabet = ['a', 'b', ' ', 'é', '漢', '😀', '"', '\\', '\n', '\u0001', '\u2028'];
    for (const length of [8191, 8192, 8193, 16384, 20000, 40000]) {
      for (const letters of [alphabet, ['x'], ['😀'], ['漢'], ['"']]) {
        const text = random.text(letters, length) + 'y'.repeat(random.below(3));
        expect(written(text) === JSON.stringify(text)).toBe(true);
      }
    }
  });
});

describe('the SIMD scan', () => {
  const bytesOf = (start: number, end: number) => Buffer.from(core.bytes.subarray(start, end)).toString('latin1');

  test('agrees with the scalar reference for every position of the special byte and of the limit', () => {
    const random = new Random(SEED);
    for (let round = 0; round < 3000; round++) {
      const bytes = random.below(70);
      for (let i = 0; i < bytes; i++) {
        core.u8[source + i] = random.below(6) === 0 ? random.below(256) : 0x61 + random.below(26);
      }
      const limit = target + random.below(bytes * 3 + 40);
      core.bytes.fill(0xaa, target, target + 512);
      const scalar = core.wasm.escapeTextScalar(target, limit, source, bytes);
      const expected = scalar && bytesOf(target, scalar);
      core.bytes.fill(0xaa, target, target + 512);
      const simd = core.wasm.escapeText(target, limit, source, bytes);
      expect(simd).toBe(scalar);
      expect(simd && bytesOf(target, simd)).toBe(expected);
      expect(core.bytes.subarray(limit, target + 512).every((byte) => byte === 0xaa)).toBe(true);
    }
  });

  test('reads nothing past the end of the memory', () => {
    const end = core.buffer.byteLength;
    core.bytes.fill(0x61, end - 40, end);
    for (let bytes = 0; bytes < 40; bytes++) {
      expect(core.wasm.escapeText(target, target + 512, end - bytes, bytes) - target).toBe(bytes);
      expect(core.wasm.writeString(target, target + 512, end - bytes, bytes) - target).toBe(bytes + 2);
    }
  });

  test('quotes short strings up to any limit, from a separate buffer and in place', () => {
    const random = new Random(SEED);
    for (let round = 0; round < 20_000; round++) {
      const text = random.text(
        random.below(2) ? ['a', 'b', 'c'] : ['a', 'b', 'é', '😀', '"', '\n', '\u0001'],
        random.below(45),
      );
      const bytes = Buffer.byteLength(text);
      const limit = target + bytes + 2 + random.below(60);
      const from = random.below(2) ? source : limit - bytes;
      core.bytes.fill(0xaa, limit, limit + 40);
      core.bytes.write(text, from);
      const end = core.wasm.writeString(target, limit, from, bytes);
      const expected = JSON.stringify(text);
      // In place, the memory may be too small for the raw and the escaped text together.
      const fits = Buffer.byteLength(expected) + (from === source ? 0 : bytes) <= limit - target;
      if (end !== 0 || fits) expect(core.bytes.toString('utf8', target, end)).toBe(expected);
      expect(core.bytes.subarray(limit, limit + 40).every((byte) => byte === 0xaa)).toBe(true);
    }
  });

  test('counts UTF-16 units in UTF-8', () => {
    const random = new Random(SEED);
    for (let round = 0; round < 2000; round++) {
      const text = random.text(['a', 'é', '漢', '😀'], random.below(60)) + 'a'.repeat(random.below(60));
      // The bytes after it may be another text, or the rest of an older one, cut inside a character.
      for (const behind of [Buffer.from('b漢😀'), Buffer.alloc(20, 0xbf)]) {
        behind.copy(core.bytes, source + core.bytes.write(text, source));
        expect(core.wasm.unitsToBytes(source, text.length)).toBe(Buffer.byteLength(text));
      }
    }
    core.bytes.write('ab😀', source);
    expect(core.wasm.unitsToBytes(source, 3)).toBe(-1);
  });
});
