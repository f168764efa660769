import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import binaryen from 'binaryen';
import { DYNAMIC_OFFSET, STATIC_DATA_OFFSET } from '../../build/assembly/layout.js';

/* The contents of the release binary, read from its bytes. */
const binary = readFileSync(new URL('../../build/loopshard.wasm', import.meta.url));
// The type declarations of binaryen lag behind its exports.
interface DataSegments {
  getNumDataSegments(): number;
  getDataSegmentByIndex(index: number): number;
  getDataSegmentInfo(segment: number): { offset?: number; data: ArrayBuffer };
}
const module = binaryen.readBinary(binary) as binaryen.Module & DataSegments;
module.setFeatures(binaryen.Features.All);

const functions = Array.from({ length: module.getNumFunctions() }, (_, i) =>
  binaryen.getFunctionInfo(module.getFunctionByIndex(i)),
);
const globals = Array.from({ length: module.getNumGlobals() }, (_, i) =>
  binaryen.getGlobalInfo(module.getGlobalByIndex(i)),
);

test('functions have names, as the next tests require', () => {
  expect(functions.map(({ name }) => name)).toEqual(expect.arrayContaining(['assembly/slot/slotClaim']));
});

test('contains no AssemblyScript runtime: no allocator, no garbage collector, no strings', () => {
  const runtime = functions
    .map(({ name }) => name)
    .filter((name) => /~lib\/(rt|string|array|arraybuffer|gc|util)/.test(name));
  expect(runtime).toEqual([]);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(binary));
  expect(imports).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  const exported = WebAssembly.Module.exports(new WebAssembly.Module(binary)).map(({ name }) => name);
  expect(exported.filter((name) => name.startsWith('__'))).toEqual([]);
  expect(exported).not.toContain('memory.grow');
});

test('its memory is shared, imported and never grown', () => {
  expect(module.getMemoryInfo()).toMatchObject({ shared: true, module: 'env', base: 'memory' });
  expect(module.emitText()).not.toContain('memory.grow');
});

/** The constant addresses of the store instructions in a module's text. */
function fixedStores(text: string): number[] {
  const pattern = /\((?:i32|i64|f32|f64|v128)\.(?:atomic\.)?store\S*(?: offset=(\d+))?[^\n]*\n\s+\(i32\.const (\d+)\)/g;
  return [...text.matchAll(pattern)].map(([, offset, address]) => Number(offset ?? 0) + Number(address));
}

test('has no mutable static data: all data are constant tables that no instruction writes to', () => {
  const text = module.emitText();
  for (let i = 0; i < module.getNumDataSegments(); i++) {
    const { offset, data } = module.getDataSegmentInfo(module.getDataSegmentByIndex(i));
    expect(offset).toBeGreaterThanOrEqual(STATIC_DATA_OFFSET);
    expect(offset! + data.byteLength).toBeLessThanOrEqual(DYNAMIC_OFFSET);
  }
  // A store to a fixed address in that area would have the address as a constant operand.
  expect(fixedStores('(i32.store8 offset=8\n   (i32.const 4096)\n')).toEqual([4104]);
  const inTables = (address: number) => address >= STATIC_DATA_OFFSET && address < DYNAMIC_OFFSET;
  expect(fixedStores(text).filter(inTables)).toEqual([]);
});

test('its only globals are the layout, the bounds of its own data, and the address of the HTTP thread’s head index', () => {
  const mutable = globals.filter((global) => global.mutable).map(({ name }) => name);
  // A mutable global belongs to its instance: no other thread sees it.
  expect(mutable).toEqual(['assembly/head/headIndex']);
});
