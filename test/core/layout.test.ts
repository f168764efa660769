import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { CoreMemory, LoopShardError } from 'loopshard/core';
import * as layout from '../../build/assembly/layout.js';

const wasm = new URL('../../build/loopshard.wasm', import.meta.url);

test('WASM and JavaScript have the same layout constants', () => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasm)), { env: { memory } });
  const globals = Object.entries(exports).filter(([, value]) => value instanceof WebAssembly.Global);
  const compiled = Object.fromEntries(globals.map(([name, value]) => [name, (value as WebAssembly.Global).value]));
  expect(compiled).toEqual({ ...layout });
  expect(globals.length).toBeGreaterThan(80);
});

test('the WASM module keeps its constants where the layout says', () => {
  const { options } = JSON.parse(readFileSync(new URL('../../asconfig.json', import.meta.url), 'utf8'));
  expect(options.memoryBase).toBe(layout.STATIC_DATA_OFFSET);
});

test('words with different writers are on different cache lines', () => {
  const writers = [
    [layout.RING_TAIL_OFFSET, layout.RING_HEAD_OFFSET, layout.RING_MASK_OFFSET, layout.RING_ENTRIES_OFFSET],
    [
      layout.SHARD_DOORBELL_OFFSET,
      layout.SHARD_PERMITS_OFFSET,
      layout.SHARD_COUNTERS_OFFSET,
      layout.SHARD_BATCH_OFFSET,
    ],
    [layout.HTTP_DOORBELL_OFFSET, layout.HTTP_POLL_OFFSET, layout.HTTP_HEAD_INDEX_OFFSET, layout.HTTP_THREAD_BYTES],
    [layout.SHARD_BATCH_OFFSET, layout.SHARD_TEMPLATES_OFFSET, layout.SHARD_RINGS_OFFSET],
  ];
  for (const offsets of writers) {
    for (let i = 1; i < offsets.length; i++)
      expect(offsets[i] - offsets[i - 1]).toBeGreaterThanOrEqual(layout.LINE_BYTES);
    for (const offset of offsets) expect(offset % layout.LINE_BYTES).toBe(0);
  }
  expect(layout.HEADER_BYTES).toBeLessThanOrEqual(layout.STATIC_DATA_OFFSET);
  expect(layout.ALLOCATED_OFFSET).toBeLessThan(layout.HEADER_BYTES);
  expect(layout.SLOT_RESPONSE_EXTENT_OFFSET).toBeLessThan(layout.SLOT_DATA_OFFSET);
  expect(1 << layout.EXTENT_OWNER_SHIFT).toBe(layout.LINE_BYTES);
});

test.each([
  ['magic', layout.MAGIC_OFFSET],
  ['version', layout.VERSION_OFFSET],
  ['size', layout.MEMORY_BYTES_OFFSET],
])('memory with a wrong %s is refused', (_name, offset) => {
  const core = CoreMemory.create(1_000);
  expect(CoreMemory.attach(core.share()).buffer).toBe(core.buffer);
  core.i32[offset >> 2]++;
  expect(() => CoreMemory.attach(core.share())).toThrow(
    expect.objectContaining({ name: LoopShardError.name, code: 'LAYOUT_MISMATCH' }),
  );
});

test('rejects memory that cannot be allocated', () => {
  expect(() => CoreMemory.create(2 ** 31)).toThrow(expect.objectContaining({ code: 'MEMORY_EXHAUSTED' }));
  expect(() => CoreMemory.create(1_000).allocate(2 ** 20)).toThrow(
    expect.objectContaining({ code: 'MEMORY_EXHAUSTED' }),
  );
});
