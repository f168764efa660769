import './runtime.js';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LoopShardError } from '../errors.js';
import { BUNDLED, lazily } from './lazily.js';

/** Functions of the WASM core, documented in assembly/. Addresses are byte offsets. */
export interface CoreFunctions {
  doorbellPark(doorbell: number): number;
  doorbellUnpark(doorbell: number): void;
  doorbellRing(doorbell: number): number;
  extentInitialize(hints: number, owners: number, count: number): void;
  extentTake(hints: number, owners: number, count: number, owner: number): number;
  extentPass(owners: number, index: number, from: number, to: number): number;
  extentGive(hints: number, owners: number, index: number): void;
  extentReclaim(hints: number, owners: number, count: number, owner: number): number;
  extentsFree(owners: number, count: number): number;
  headUse(address: number): void;
  headBegin(parser: number): number;
  headTarget(parser: number, at: number, bytes: number): number;
  headName(parser: number, at: number, bytes: number): number;
  headValue(parser: number, at: number, bytes: number): number;
  headComplete(parser: number, status: number, upgrade: number, keepAlive: number): number;
  headBody(at: number, bytes: number): number;
  headCopyFields(destination: number): void;
  ringInitialize(ring: number, capacity: number): void;
  ringLength(ring: number): number;
  ringPublish(ring: number, value: number): number;
  ringPublishBatch(ring: number, source: number, count: number): number;
  ringPoll(ring: number, destination: number, max: number): number;
  ringClaim(ring: number, destination: number, max: number): number;
  semaphoreInitialize(semaphore: number, permits: number): void;
  semaphoreAvailable(semaphore: number): number;
  semaphoreLimit(semaphore: number): number;
  semaphoreTryAcquire(semaphore: number, count: number): number;
  semaphoreTryAcquireUpTo(semaphore: number, most: number): number;
  semaphoreRelease(semaphore: number, count: number): void;
  semaphoreSetLimit(semaphore: number, permits: number): void;
  semaphoreAwait(semaphore: number): number;
  semaphoreLeave(semaphore: number): void;
  slotSubmit(ring: number, submitted: number, slots: number, stride: number, slot: number): number;
  slotClaim(
    ring: number,
    submitted: number,
    slots: number,
    stride: number,
    shard: number,
    destination: number,
    most: number,
  ): number;
  slotClaimPermitted(
    semaphore: number,
    ring: number,
    submitted: number,
    slots: number,
    stride: number,
    shard: number,
    destination: number,
    most: number,
    sharers: number,
    least: number,
  ): number;
  slotOldest(ring: number, submitted: number, slots: number, stride: number): number;
  slotComplete(ring: number, slots: number, stride: number, shard: number, slot: number, permits: number): number;
  slotWaited(
    ring: number,
    submitted: number,
    slots: number,
    stride: number,
    from: number,
    to: number,
    most: number,
  ): number;
  jsonNumber(position: number, limit: number, value: number, work: number): number;
  jsonNumbers(position: number, limit: number, source: number, count: number, work: number): number;
  jsonInt32s(position: number, limit: number, source: number, count: number, work: number): number;
  jsonRun(position: number, limit: number, tape: number, words: number, ascii: number): number;
  escapeText(position: number, limit: number, source: number, bytes: number): number;
  escapeTextScalar(position: number, limit: number, source: number, bytes: number): number;
  quoteInPlace(position: number, limit: number, bytes: number): number;
  hasReplacement(source: number, bytes: number): number;
  unitsToBytes(source: number, units: number): number;
  writeBytes(position: number, limit: number, source: number, bytes: number): number;
  writeInteger(position: number, limit: number, value: number): number;
  writeString(position: number, limit: number, source: number, bytes: number): number;
  writeHeadBefore(
    end: number,
    template: number,
    templateBytes: number,
    fieldsBytes: number,
    contentLength: number,
  ): number;
}

/** A compiled `WebAssembly.Module`. */
export type WasmModule = object;

/** A shared `WebAssembly.Memory`. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

const loader = lazily<typeof import('@assemblyscript/loader')>('@assemblyscript/loader');

let compiled: WasmModule | undefined;

/** Compiles the core, once per thread that was not given a compiled module. */
export function compileCore(): WasmModule {
  compiled ??= new WebAssembly.Module(readCore());
  return compiled;
}

function readCore(): Buffer {
  const url = new URL('../../loopshard.wasm', import.meta.url);
  try {
    return readFileSync(url);
  } catch (cause) {
    throw new LoopShardError(
      'RUNTIME_UNSUPPORTED',
      `Cannot read ${fileURLToPath(url)}, a file of the package loopshard. ${BUNDLED}`,
      { cause },
    );
  }
}

export function instantiateCore(module: WasmModule, memory: WasmMemory): CoreFunctions {
  const imports = { env: { memory: memory as WebAssembly.Memory } };
  // The loader's own exports are wrapped to count arguments, which these functions do not need.
  return loader().instantiateSync(module as WebAssembly.Module, imports).instance.exports as unknown as CoreFunctions;
}
