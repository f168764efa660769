import {
  EXTENT_CLASS_BYTES_OFFSET,
  EXTENT_CLASSES,
  EXTENT_HEAD_BYTES,
  EXTENT_LEAST_SHIFT,
  EXTENT_OWNER_SHIFT,
  EXTENTS_ADDRESS_OFFSET,
  HEADER_BYTES,
  HTTP_CONNECTIONS_OFFSET,
  HTTP_DETACHED_OFFSET,
  HTTP_DOORBELL_OFFSET,
  HTTP_FIGURES_OFFSET,
  HTTP_GENERATION_OFFSET,
  HTTP_HEAD_INDEX_OFFSET,
  HTTP_OUTSTANDING_OFFSET,
  HTTP_POLL_OFFSET,
  HTTP_PRESSED_OFFSET,
  HTTP_QUEUED_OFFSET,
  HTTP_REQUEST_EXTENTS_OFFSET,
  HTTP_SEQUENCE_OFFSET,
  HTTP_STREAMING_OFFSET,
  HTTP_THREAD_BYTES,
  HTTP_THREAD_COUNT_OFFSET,
  HTTP_THREADS_ADDRESS_OFFSET,
  HTTP_WAITING_OFFSET,
  HTTP_WAITS_OFFSET,
  LINE_BYTES,
  MAX_LIMITED_ROUTES,
  RING_CAPACITY_OFFSET,
  ROUTE_PERMITS_ADDRESS_OFFSET,
  SEMAPHORE_BYTES,
  SHARD_BATCH_OFFSET,
  SHARD_COUNT_OFFSET,
  SHARD_COUNTERS_OFFSET,
  SHARD_DOORBELL_OFFSET,
  SHARD_PERMITS_OFFSET,
  SHARD_RINGS_OFFSET,
  SHARD_STOLEN_OFFSET,
  SHARD_STRIDE_OFFSET,
  SHARD_TEMPLATES_BYTES,
  SHARD_TEMPLATES_OFFSET,
  SHARDS_ADDRESS_OFFSET,
  SLOT_COUNT_OFFSET,
  SLOT_DATA_OFFSET,
  SLOT_STRIDE_OFFSET,
  SLOTS_ADDRESS_OFFSET,
} from '../../assembly/layout.js';
import { CoreMemory } from '../core/memory.js';
import { Ring, ringBytes, ringCapacity } from '../core/ring.js';
import { Semaphore } from '../core/semaphore.js';

/**
 * Where a server's parts lie in the shared memory. Written into the header once; every thread reads the same. All addresses are computed
 * in this file.
 */
export interface MemoryMap {
  httpThreads: number;
  httpThreadsAddress: number;
  shards: number;
  shardsAddress: number;
  shardStride: number;
  /** Entries of each ring: at least one for every slot of an HTTP thread. */
  ringCapacity: number;
  /** A multiple of `httpThreads`. */
  slots: number;
  slotsAddress: number;
  slotStride: number;
  /** Semaphores of routes with `maxConcurrency`. */
  routePermitsAddress: number;
  extentsAddress: number;
  /** Bytes of the extents of each class. */
  extentClassBytes: number;
}

/** What the size of a server's memory depends on. */
export interface MemoryNeeds {
  /** Default 1. */
  httpThreads?: number;
  shards: number;
  /** Per shard. */
  permits: number;
  /** Rounded up to a multiple of `httpThreads`. */
  slots: number;
  slotBytes: number;
  /** Of all extents together; untouched until they are used. */
  extentBytes: number;
}

/** Room for memory that a shard allocates while it runs: scratch and constants of compiled writers. Untouched pages cost nothing. */
const ARENA_BYTES = 1 << 20;
/** Submissions, bound submissions, completions. */
const RINGS_OF_PAIR = 3;

/**
 * Creates and maps a server's shared memory. Control thread.
 * @throws LoopShardError MEMORY_EXHAUSTED
 */
export function createServerMemory(needs: MemoryNeeds): { core: CoreMemory; map: MemoryMap } {
  const { httpThreads = 1, shards, permits, slotBytes, extentBytes } = needs;
  const slotsOfEach = Math.ceil(needs.slots / httpThreads);
  const slots = slotsOfEach * httpThreads;
  const capacity = ringCapacity(slotsOfEach);
  // A multiple of a cache line but never a power of two, so that neighbouring slots fall into different cache sets.
  const slotStride = SLOT_DATA_OFFSET + Math.ceil(slotBytes / LINE_BYTES) * LINE_BYTES;
  const shardStride = SHARD_RINGS_OFFSET + httpThreads * RINGS_OF_PAIR * alignedRingBytes(capacity) + ARENA_BYTES;
  const extentClassBytes = Math.floor(extentBytes / EXTENT_CLASSES);
  const extents = extentClasses({ extentsAddress: 0, extentClassBytes });
  const extentsTotal = Math.max(...extents.map(({ end }) => end));
  const core = CoreMemory.create(
    httpThreads * HTTP_THREAD_BYTES +
      shards * shardStride +
      slots * slotStride +
      extentsTotal +
      MAX_LIMITED_ROUTES * SEMAPHORE_BYTES,
  );
  const { i32, wasm } = core;
  i32[HTTP_THREAD_COUNT_OFFSET >> 2] = httpThreads;
  i32[HTTP_THREADS_ADDRESS_OFFSET >> 2] = core.allocate(httpThreads * HTTP_THREAD_BYTES);
  i32[SHARD_COUNT_OFFSET >> 2] = shards;
  i32[SHARDS_ADDRESS_OFFSET >> 2] = core.allocate(shards * shardStride);
  i32[SHARD_STRIDE_OFFSET >> 2] = shardStride;
  i32[RING_CAPACITY_OFFSET >> 2] = capacity;
  i32[SLOT_COUNT_OFFSET >> 2] = slots;
  i32[SLOTS_ADDRESS_OFFSET >> 2] = core.allocate(slots * slotStride);
  i32[SLOT_STRIDE_OFFSET >> 2] = slotStride;
  i32[ROUTE_PERMITS_ADDRESS_OFFSET >> 2] = core.allocate(MAX_LIMITED_ROUTES * SEMAPHORE_BYTES);
  i32[EXTENT_CLASS_BYTES_OFFSET >> 2] = extentClassBytes;
  i32[EXTENTS_ADDRESS_OFFSET >> 2] = core.allocate(extentsTotal);
  const map = readMemoryMap(core.buffer);
  for (let shard = 0; shard < shards; shard++) {
    Semaphore.create(core, permits, shardAddresses(map, shard).permits);
    for (let http = 0; http < httpThreads; http++) {
      for (const ring of Object.values(ringAddresses(map, http, shard))) Ring.initialize(core, capacity, ring);
    }
  }
  for (const { hints, owners, count } of extentClasses(map)) wasm.extentInitialize(hints, owners, count);
  return { core, map };
}

export function readMemoryMap(buffer: SharedArrayBuffer): MemoryMap {
  const header = new Int32Array(buffer, 0, HEADER_BYTES >> 2);
  return {
    httpThreads: header[HTTP_THREAD_COUNT_OFFSET >> 2],
    httpThreadsAddress: header[HTTP_THREADS_ADDRESS_OFFSET >> 2],
    shards: header[SHARD_COUNT_OFFSET >> 2],
    shardsAddress: header[SHARDS_ADDRESS_OFFSET >> 2],
    shardStride: header[SHARD_STRIDE_OFFSET >> 2],
    ringCapacity: header[RING_CAPACITY_OFFSET >> 2],
    slots: header[SLOT_COUNT_OFFSET >> 2],
    slotsAddress: header[SLOTS_ADDRESS_OFFSET >> 2],
    slotStride: header[SLOT_STRIDE_OFFSET >> 2],
    routePermitsAddress: header[ROUTE_PERMITS_ADDRESS_OFFSET >> 2],
    extentsAddress: header[EXTENTS_ADDRESS_OFFSET >> 2],
    extentClassBytes: header[EXTENT_CLASS_BYTES_OFFSET >> 2],
  };
}

/** Each ring starts on its own cache line. */
function alignedRingBytes(capacity: number): number {
  return Math.ceil(ringBytes(capacity) / LINE_BYTES) * LINE_BYTES;
}

/** Where the parts of an HTTP thread lie. */
export function httpAddresses(map: MemoryMap, http: number) {
  const start = map.httpThreadsAddress + http * HTTP_THREAD_BYTES;
  const figures = start + HTTP_FIGURES_OFFSET;
  return {
    doorbell: start + HTTP_DOORBELL_OFFSET,
    sequence: figures + HTTP_SEQUENCE_OFFSET,
    connections: figures + HTTP_CONNECTIONS_OFFSET,
    generation: figures + HTTP_GENERATION_OFFSET,
    detached: figures + HTTP_DETACHED_OFFSET,
    pressed: figures + HTTP_PRESSED_OFFSET,
    /** A word for each class. */
    requestExtents: figures + HTTP_REQUEST_EXTENTS_OFFSET,
    /** A word for each shard, as in the next two. */
    outstanding: start + HTTP_OUTSTANDING_OFFSET,
    queued: start + HTTP_QUEUED_OFFSET,
    waits: start + HTTP_WAITS_OFFSET,
    /** A word for each limited route. */
    waiting: start + HTTP_WAITING_OFFSET,
    streaming: start + HTTP_STREAMING_OFFSET,
    /** Where polls write the slots that they return. */
    poll: start + HTTP_POLL_OFFSET,
    headIndex: start + HTTP_HEAD_INDEX_OFFSET,
  };
}

/** Address of the semaphore of the limited route at `index`, in the order of the route table. */
export function routePermitsAddress(map: MemoryMap, index: number): number {
  return map.routePermitsAddress + index * SEMAPHORE_BYTES;
}

/** Where the parts of a shard lie. The arena belongs to the shard; a replacement thread starts it anew. */
export function shardAddresses(map: MemoryMap, shard: number) {
  const start = map.shardsAddress + shard * map.shardStride;
  const end = start + map.shardStride;
  const templates = start + SHARD_TEMPLATES_OFFSET;
  return {
    doorbell: start + SHARD_DOORBELL_OFFSET,
    permits: start + SHARD_PERMITS_OFFSET,
    counters: start + SHARD_COUNTERS_OFFSET,
    /** Where claims write the slots that they take. */
    batch: start + SHARD_BATCH_OFFSET,
    templates: { start: templates, end: templates + SHARD_TEMPLATES_BYTES },
    /** A word for each shard. */
    stolen: start + SHARD_STOLEN_OFFSET,
    arena: { start: end - ARENA_BYTES, end },
  };
}

/** The rings between an HTTP thread and a shard. */
export interface PairRings<Of = Ring> {
  /** HTTP thread to shard; other shards of the group claim from it too. */
  submissions: Of;
  /** HTTP thread to this shard only. */
  bound: Of;
  /** Shard to HTTP thread. */
  completions: Of;
}

function ringAddresses(map: MemoryMap, http: number, shard: number): PairRings<number> {
  const bytes = alignedRingBytes(map.ringCapacity);
  const submissions = map.shardsAddress + shard * map.shardStride + SHARD_RINGS_OFFSET + http * RINGS_OF_PAIR * bytes;
  return { submissions, bound: submissions + bytes, completions: submissions + 2 * bytes };
}

/** @param batch address of BATCH_BYTES that belong to the calling thread */
export function attachRings(core: CoreMemory, map: MemoryMap, http: number, shard: number, batch: number): PairRings {
  const { submissions, bound, completions } = ringAddresses(map, http, shard);
  return {
    submissions: Ring.attach(core, submissions, batch),
    bound: Ring.attach(core, bound, batch),
    completions: Ring.attach(core, completions, batch),
  };
}

/** Address of the first byte of a slot, which is its owner word. */
export function slotAddress(map: MemoryMap, slot: number): number {
  return map.slotsAddress + slot * map.slotStride;
}

/** Slots from `first` on, up to `end`. */
export interface SlotRange {
  first: number;
  end: number;
}

/** The HTTP thread that owns a slot's range. */
export function httpOf(map: MemoryMap, slot: number): number {
  return Math.floor((slot * map.httpThreads) / map.slots);
}

/** The slots of an HTTP thread. */
export function slotRange(map: MemoryMap, http: number): SlotRange {
  const each = map.slots / map.httpThreads;
  return { first: http * each, end: (http + 1) * each };
}

/** Extents of one size. */
export interface ExtentClass {
  /** Size of each extent. */
  bytes: number;
  count: number;
  /** Address of the first one. */
  start: number;
  /** Addresses of the hint words and of the owner words. */
  hints: number;
  owners: number;
  /** Address after the last extent. */
  end: number;
}

/** The classes of extents, smallest first. All their words lie before the extents. */
export function extentClasses(map: Pick<MemoryMap, 'extentsAddress' | 'extentClassBytes'>): ExtentClass[] {
  let at = map.extentsAddress;
  const place = (bytes: number) => {
    const start = at;
    at += Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
    return start;
  };
  const words = Array.from({ length: EXTENT_CLASSES }, (_, index) => {
    const bytes = (1 << (EXTENT_LEAST_SHIFT + index)) + EXTENT_HEAD_BYTES;
    const count = Math.floor(map.extentClassBytes / bytes);
    return { bytes, count, hints: place(Math.ceil(count / 32) * 4), owners: place(count << EXTENT_OWNER_SHIFT) };
  });
  return words.map((one) => {
    const start = place(one.bytes * one.count);
    return { ...one, start, end: at };
  });
}
