/*
 * The layout of the shared memory: the only place where its numbers are written.
 *
 * This file is compiled twice, by asc for the code in WASM and by tsc for the code in JavaScript, so it is plain constant
 * arithmetic: no imports, no types, nothing that only one of the two compilers understands. Inside a block each offset is
 * derived from the one before it.
 *
 *   0 ┌──────────────────────────────┐
 *     │ header                       │  written before the first shard starts
 *     ├──────────────────────────────┤  STATIC_DATA_OFFSET (asc's --memoryBase)
 *     │ constant tables of the WASM  │
 *     ├──────────────────────────────┤  DYNAMIC_OFFSET; placed by src/contract/memory-map.ts
 *     │ HTTP thread 0: doorbell,     │
 *     │          figures, poll area, │
 *     │          head index          │
 *     │ HTTP thread 1: …             │
 *     ├──────────────────────────────┤
 *     │ shard 0: control, a set of   │
 *     │          rings for each HTTP │
 *     │          thread, arena       │
 *     │ shard 1: …                   │
 *     ├──────────────────────────────┤
 *     │ slot 0 │ slot 1 │ …          │
 *     ├──────────────────────────────┤
 *     │ permits of routes            │
 *     ├──────────────────────────────┤
 *     │ hints and owners of extents  │
 *     ├──────────────────────────────┤
 *     │ extents, class by class      │  not touched before they are used
 *     └──────────────────────────────┘
 *
 * Words that different threads write lie LINE_BYTES apart. Suffixes: _OFFSET in bytes from the start of the block the
 * name belongs to, _BYTES a size, _SHIFT a power of two, _STATE a value of a state word.
 */

/** First word of every block: "LSHD" in little-endian ASCII. */
export const MAGIC = 0x4448534c;
/** Second word of every block. Increased with every change of this file that moves something. */
export const VERSION = 9;

/** Two cache lines: the prefetcher of current x86 CPUs fetches lines in pairs. */
export const LINE_BYTES = 128;
export const WORD_BYTES = 4;

// ── header ──────────────────────────────────────────────────────────────────────────────────────────────────────────
export const MAGIC_OFFSET = 0;
export const VERSION_OFFSET = MAGIC_OFFSET + WORD_BYTES;
export const MEMORY_BYTES_OFFSET = VERSION_OFFSET + WORD_BYTES;
export const HTTP_THREAD_COUNT_OFFSET = MEMORY_BYTES_OFFSET + WORD_BYTES;
export const HTTP_THREADS_ADDRESS_OFFSET = HTTP_THREAD_COUNT_OFFSET + WORD_BYTES;
export const SHARD_COUNT_OFFSET = HTTP_THREADS_ADDRESS_OFFSET + WORD_BYTES;
export const SHARDS_ADDRESS_OFFSET = SHARD_COUNT_OFFSET + WORD_BYTES;
export const SHARD_STRIDE_OFFSET = SHARDS_ADDRESS_OFFSET + WORD_BYTES;
export const RING_CAPACITY_OFFSET = SHARD_STRIDE_OFFSET + WORD_BYTES;
export const SLOT_COUNT_OFFSET = RING_CAPACITY_OFFSET + WORD_BYTES;
export const SLOTS_ADDRESS_OFFSET = SLOT_COUNT_OFFSET + WORD_BYTES;
export const SLOT_STRIDE_OFFSET = SLOTS_ADDRESS_OFFSET + WORD_BYTES;
/** Semaphores of limited routes: MAX_LIMITED_ROUTES of them. */
export const ROUTE_PERMITS_ADDRESS_OFFSET = SLOT_STRIDE_OFFSET + WORD_BYTES;
export const EXTENTS_ADDRESS_OFFSET = ROUTE_PERMITS_ADDRESS_OFFSET + WORD_BYTES;
/** Bytes of the extents of each class. */
export const EXTENT_CLASS_BYTES_OFFSET = EXTENTS_ADDRESS_OFFSET + WORD_BYTES;
/** First free address. The only header word that changes: any thread moves it, atomically, to allocate. */
export const ALLOCATED_OFFSET = EXTENT_CLASS_BYTES_OFFSET + WORD_BYTES;
export const HEADER_BYTES = LINE_BYTES;

// ── doorbell: the words a thread parks on ───────────────────────────────────────────────────────────────────────────
/** Increased by each ring; the parked thread waits for it to change. Written by publishers. */
export const DOORBELL_BELL_OFFSET = 0;
/** 1 while the owner is parked or about to park. Set by the owner, cleared by the thread that rings. */
export const DOORBELL_PARKED_OFFSET = DOORBELL_BELL_OFFSET + WORD_BYTES;
export const DOORBELL_BYTES = LINE_BYTES;

export const MAX_BATCH = 1024;

// ── head index: positions of the parts of the current request head ──────────────────────────────────────────────────
// Offsets of names and values are relative to the first byte of the request target.
/** Address, in the parser's memory, of the first byte of the target. */
export const HEAD_BASE_OFFSET = 0;
export const HEAD_TARGET_BYTES_OFFSET = HEAD_BASE_OFFSET + WORD_BYTES;
/** Target, version and header fields, up to the end of the last value. */
export const HEAD_TOTAL_BYTES_OFFSET = HEAD_TARGET_BYTES_OFFSET + WORD_BYTES;
export const HEAD_FIELD_COUNT_OFFSET = HEAD_TOTAL_BYTES_OFFSET + WORD_BYTES;
/** One of HEAD_*_STATE. */
export const HEAD_STATE_OFFSET = HEAD_FIELD_COUNT_OFFSET + WORD_BYTES;
/** 1 if the connection may stay open after this message. */
export const HEAD_KEEP_ALIVE_OFFSET = HEAD_STATE_OFFSET + WORD_BYTES;
/** 1 if the client offers to upgrade the connection. */
export const HEAD_UPGRADE_OFFSET = HEAD_KEEP_ALIVE_OFFSET + WORD_BYTES;
/** Body bytes seen in the current chunk: address in the parser's memory, and length. */
export const HEAD_BODY_BASE_OFFSET = HEAD_UPGRADE_OFFSET + WORD_BYTES;
export const HEAD_BODY_BYTES_OFFSET = HEAD_BODY_BASE_OFFSET + WORD_BYTES;
/** Limits, written once by the HTTP thread. */
export const HEAD_TARGET_LIMIT_OFFSET = HEAD_BODY_BYTES_OFFSET + WORD_BYTES;
export const HEAD_TOTAL_LIMIT_OFFSET = HEAD_TARGET_LIMIT_OFFSET + WORD_BYTES;
export const HEAD_FIELD_LIMIT_OFFSET = HEAD_TOTAL_LIMIT_OFFSET + WORD_BYTES;
export const HEAD_FIELDS_OFFSET = LINE_BYTES;

export const HEAD_IDLE_STATE = 0;
export const HEAD_BEGUN_STATE = 1;
export const HEAD_TARGET_STATE = 2;
export const HEAD_NAME_STATE = 3;
export const HEAD_VALUE_STATE = 4;
export const HEAD_COMPLETE_STATE = 5;
export const HEAD_TARGET_TOO_LONG_STATE = 6;
export const HEAD_TOO_LARGE_STATE = 7;
export const HEAD_BROKEN_STATE = 8;

/** A field of the index: four unsigned 16-bit numbers. */
export const FIELD_NAME_OFFSET = 0;
export const FIELD_NAME_BYTES_OFFSET = FIELD_NAME_OFFSET + 2;
export const FIELD_VALUE_OFFSET = FIELD_NAME_BYTES_OFFSET + 2;
export const FIELD_VALUE_BYTES_OFFSET = FIELD_VALUE_OFFSET + 2;
export const FIELD_BYTES = FIELD_VALUE_BYTES_OFFSET + 2;
/** Capacity of the index; the configured limit may be lower. */
export const MAX_FIELDS = 256;
/** Head offsets are 16-bit numbers. */
export const MAX_HEAD_BYTES = 65535;

// What headComplete reports about the fields, judged only by the lengths of their names.
/** One more than the number of the first field that may be Host; 0 if there is none. */
export const HEAD_HOST_MASK = 0x1ff;
/** Set if more than one field may be Host. */
export const HEAD_HOSTS_FLAG = 0x200;
/** Set if a field may be Content-Length or Transfer-Encoding. */
export const HEAD_BODY_FLAG = 0x400;

export const HEAD_INDEX_BYTES = HEAD_FIELDS_OFFSET + MAX_FIELDS * FIELD_BYTES;

// ── WASM's own constant data ────────────────────────────────────────────────────────────────────────────────────────
/** Also passed to asc (asconfig.json, memoryBase); a test compares them. */
export const STATIC_DATA_OFFSET = 4096;
export const DYNAMIC_OFFSET = 65536;

// ── HTTP thread ─────────────────────────────────────────────────────────────────────────────────────────────────────
export const HTTP_DOORBELL_OFFSET = 0;
/** Numbers that the HTTP thread publishes for the other HTTP threads. */
export const HTTP_FIGURES_OFFSET = HTTP_DOORBELL_OFFSET + DOORBELL_BYTES;
/** The number of the last request. Each thread numbers in steps of the number of threads, so numbers never collide. */
export const HTTP_SEQUENCE_OFFSET = 0;
/** Open connections. */
export const HTTP_CONNECTIONS_OFFSET = HTTP_SEQUENCE_OFFSET + WORD_BYTES;
/** How many threads have had this number; increased by the control thread before the next one starts. */
export const HTTP_GENERATION_OFFSET = HTTP_CONNECTIONS_OFFSET + WORD_BYTES;
/** Bytes of unsent responses that were copied out of their extents. */
export const HTTP_DETACHED_OFFSET = HTTP_GENERATION_OFFSET + WORD_BYTES;
/** Connections with a request that waits for an extent. */
export const HTTP_PRESSED_OFFSET = HTTP_DETACHED_OFFSET + WORD_BYTES;
/** By class of extents: those that requests of this thread hold. */
export const HTTP_REQUEST_EXTENTS_OFFSET = HTTP_PRESSED_OFFSET + WORD_BYTES;
/** By shard: requests that this thread has submitted to it and that were not given back. */
export const HTTP_OUTSTANDING_OFFSET = HTTP_FIGURES_OFFSET + LINE_BYTES;
/** Numbers of shards: twice as many as may run, since each group has one more for the replacement of a shard that still runs. */
export const MAX_SHARDS = 128;
/** By shard: queued requests of this thread, and how long the oldest has waited, in microseconds. */
export const HTTP_QUEUED_OFFSET = HTTP_OUTSTANDING_OFFSET + MAX_SHARDS * WORD_BYTES;
export const HTTP_WAITS_OFFSET = HTTP_QUEUED_OFFSET + MAX_SHARDS * WORD_BYTES;
/** By limited route: requests of this thread that wait for one of its permits. */
export const HTTP_WAITING_OFFSET = HTTP_WAITS_OFFSET + MAX_SHARDS * WORD_BYTES;
/** Maximum number of limited routes. */
export const MAX_LIMITED_ROUTES = 256;
/** By limited route: streams that hold one of its permits without a slot. */
export const HTTP_STREAMING_OFFSET = HTTP_WAITING_OFFSET + MAX_LIMITED_ROUTES * WORD_BYTES;
/** Where polls of completion rings write the slots that they return. Private to the HTTP thread. */
export const HTTP_POLL_OFFSET = HTTP_STREAMING_OFFSET + MAX_LIMITED_ROUTES * WORD_BYTES;
/** Private to the HTTP thread. */
export const HTTP_HEAD_INDEX_OFFSET = HTTP_POLL_OFFSET + MAX_BATCH * WORD_BYTES;
export const HTTP_THREAD_BYTES = HTTP_HEAD_INDEX_OFFSET + HEAD_INDEX_BYTES;

export const MAX_HTTP_THREADS = 64;

// ── ring: head = consumer, tail = producer, both free-running; index = position & mask ──────────────────────────────
export const RING_TAIL_OFFSET = 0;
export const RING_HEAD_OFFSET = RING_TAIL_OFFSET + LINE_BYTES;
/** Written once; read by both sides. */
export const RING_MASK_OFFSET = RING_HEAD_OFFSET + LINE_BYTES;
export const RING_ENTRIES_OFFSET = RING_MASK_OFFSET + LINE_BYTES;
export const RING_ENTRY_SHIFT = 2;
export const RING_ENTRY_BYTES = 1 << RING_ENTRY_SHIFT;
export const MAX_RING_CAPACITY = 1 << 20;

// ── semaphore ───────────────────────────────────────────────────────────────────────────────────────────────────────
/** Free permits; below zero after the limit was lowered below the number of taken ones. */
export const SEMAPHORE_AVAILABLE_OFFSET = 0;
/** Total number of permits. */
export const SEMAPHORE_LIMIT_OFFSET = SEMAPHORE_AVAILABLE_OFFSET + WORD_BYTES;
/** Number of threads that wait for a permit. */
export const SEMAPHORE_WAITERS_OFFSET = SEMAPHORE_LIMIT_OFFSET + WORD_BYTES;
export const SEMAPHORE_BYTES = LINE_BYTES;

// ── shard ───────────────────────────────────────────────────────────────────────────────────────────────────────────
export const SHARD_DOORBELL_OFFSET = 0;
export const SHARD_PERMITS_OFFSET = SHARD_DOORBELL_OFFSET + DOORBELL_BYTES;
/** Counters that the shard writes and any thread reads. */
export const SHARD_COUNTERS_OFFSET = SHARD_PERMITS_OFFSET + SEMAPHORE_BYTES;
/** Handlers started. */
export const COUNTER_STARTED_OFFSET = 0;
/** Batches claimed. */
export const COUNTER_BATCHES_OFFSET = COUNTER_STARTED_OFFSET + WORD_BYTES;
/** How often the shard parked. */
export const COUNTER_PARKS_OFFSET = COUNTER_BATCHES_OFFSET + WORD_BYTES;
/** Requests found only by the park timeout: each is a lost wake-up. Zero unless LoopShard has a bug. */
export const COUNTER_LOST_WAKE_UPS_OFFSET = COUNTER_PARKS_OFFSET + WORD_BYTES;
/** Requests claimed from the rings of other shards. */
export const COUNTER_STEALS_OFFSET = COUNTER_LOST_WAKE_UPS_OFFSET + WORD_BYTES;
/** Of the adaptive limiter: short-term and long-term mean handler time in microseconds; 0 until known. */
export const COUNTER_SHORT_MEAN_OFFSET = COUNTER_STEALS_OFFSET + WORD_BYTES;
export const COUNTER_LONG_MEAN_OFFSET = COUNTER_SHORT_MEAN_OFFSET + WORD_BYTES;
/** Responses that had to wait for an extent, and those that are waiting now. */
export const COUNTER_EXTENT_WAITS_OFFSET = COUNTER_LONG_MEAN_OFFSET + WORD_BYTES;
export const COUNTER_EXTENT_WAITING_OFFSET = COUNTER_EXTENT_WAITS_OFFSET + WORD_BYTES;
/** Abandoned handlers that have not settled. */
export const COUNTER_ABANDONED_OFFSET = COUNTER_EXTENT_WAITING_OFFSET + WORD_BYTES;
/** Thread time in nanoseconds that a request recently took; 0 until known. */
export const COUNTER_THREAD_TIME_OFFSET = COUNTER_ABANDONED_OFFSET + WORD_BYTES;
/** When the running handler was called, by the server's clock; 0 if none is running. */
export const COUNTER_CALLED_AT_OFFSET = COUNTER_THREAD_TIME_OFFSET + WORD_BYTES;
/** Responses being streamed: their heads are sent, and they have not ended. Includes upgraded connections. */
export const COUNTER_STREAMS_OFFSET = COUNTER_CALLED_AT_OFFSET + WORD_BYTES;
/** 1 while an inspector of the shard's thread is open, as of the last second. */
export const COUNTER_INSPECTED_OFFSET = COUNTER_STREAMS_OFFSET + WORD_BYTES;
/** Connections that the shard has taken over. */
export const COUNTER_UPGRADES_OFFSET = COUNTER_INSPECTED_OFFSET + WORD_BYTES;
/** The route whose handler was called last: its number, or -1. Written before COUNTER_CALLED_AT. */
export const COUNTER_CALLED_ROUTE_OFFSET = COUNTER_UPGRADES_OFFSET + WORD_BYTES;
/** 1 while requests are traced, or somebody listens to their events, on the shard. */
export const COUNTER_OBSERVED_OFFSET = COUNTER_CALLED_ROUTE_OFFSET + WORD_BYTES;
/** Where claims write the slots that they take. Private to the shard. */
export const SHARD_BATCH_OFFSET = SHARD_COUNTERS_OFFSET + LINE_BYTES;
/** Bytes in shared memory that the shard copies from: response head templates. Private to the shard. */
export const SHARD_TEMPLATES_OFFSET = SHARD_BATCH_OFFSET + MAX_BATCH * WORD_BYTES;
export const SHARD_TEMPLATES_BYTES = 16384;
/** By shard: requests that the shard has claimed from its rings, of which COUNTER_STEALS is the sum. The shard writes them, any thread reads. */
export const SHARD_STOLEN_OFFSET = SHARD_TEMPLATES_OFFSET + SHARD_TEMPLATES_BYTES;
/** For each HTTP thread: a submission ring, a ring of bound submissions, a completion ring. */
export const SHARD_RINGS_OFFSET = SHARD_STOLEN_OFFSET + MAX_SHARDS * WORD_BYTES;

// ── slot ────────────────────────────────────────────────────────────────────────────────────────────────────────────
/** The owner word. Everything else in the slot, and the extents it names, belong to that owner. */
export const SLOT_OWNER_OFFSET = 0;
/** When its handler was called, in microseconds of the server's clock, made odd; or SLOT_NO_START. The HTTP thread may read it. */
export const SLOT_STARTED_AT_OFFSET = SLOT_OWNER_OFFSET + WORD_BYTES;
/** Index into the route table. */
export const SLOT_ROUTE_OFFSET = SLOT_STARTED_AT_OFFSET + WORD_BYTES;
/** Index into METHODS (src/contract/messages.ts). */
export const SLOT_METHOD_OFFSET = SLOT_ROUTE_OFFSET + WORD_BYTES;
/** SLOT_*_FLAG bits. */
export const SLOT_FLAGS_OFFSET = SLOT_METHOD_OFFSET + WORD_BYTES;
/** Number of the request, by which it is identified (wraps at 2³²). */
export const SLOT_SEQUENCE_OFFSET = SLOT_FLAGS_OFFSET + WORD_BYTES;
/** When it was submitted, and when it is too late to start it (0: no deadline), in microseconds of the server's clock. */
export const SLOT_SUBMITTED_AT_OFFSET = SLOT_SEQUENCE_OFFSET + WORD_BYTES;
export const SLOT_QUEUE_DEADLINE_OFFSET = SLOT_SUBMITTED_AT_OFFSET + WORD_BYTES;
/** Address of the request record: field index, head bytes, body bytes. In the slot, or in an extent. */
export const SLOT_RECORD_OFFSET = SLOT_QUEUE_DEADLINE_OFFSET + WORD_BYTES;
export const SLOT_FIELD_COUNT_OFFSET = SLOT_RECORD_OFFSET + WORD_BYTES;
export const SLOT_TARGET_BYTES_OFFSET = SLOT_FIELD_COUNT_OFFSET + WORD_BYTES;
export const SLOT_HEAD_BYTES_OFFSET = SLOT_TARGET_BYTES_OFFSET + WORD_BYTES;
export const SLOT_BODY_BYTES_OFFSET = SLOT_HEAD_BYTES_OFFSET + WORD_BYTES;
/** Address of the first response byte; head and body are contiguous. In the slot, or in an extent. */
export const SLOT_RESPONSE_OFFSET = SLOT_BODY_BYTES_OFFSET + WORD_BYTES;
export const SLOT_RESPONSE_HEAD_BYTES_OFFSET = SLOT_RESPONSE_OFFSET + WORD_BYTES;
export const SLOT_RESPONSE_BODY_BYTES_OFFSET = SLOT_RESPONSE_HEAD_BYTES_OFFSET + WORD_BYTES;
/** The extent that the response lies in, or NO_EXTENT. */
export const SLOT_RESPONSE_EXTENT_OFFSET = SLOT_RESPONSE_BODY_BYTES_OFFSET + WORD_BYTES;
/** The client's end of the connection (src/contract/peer.ts): port, length of the address and flags, then the address as text. */
export const SLOT_PEER_OFFSET = SLOT_RESPONSE_EXTENT_OFFSET + WORD_BYTES;
export const SLOT_PEER_ADDRESS_OFFSET = SLOT_PEER_OFFSET + WORD_BYTES;
/** Enough for the longest form of IPv6. */
export const PEER_ADDRESS_BYTES = 48;
/** When its first byte arrived, in microseconds of the server's clock. */
export const SLOT_ARRIVED_AT_OFFSET = SLOT_PEER_ADDRESS_OFFSET + PEER_ADDRESS_BYTES;
/** Room for the request record and, after it, the response. */
export const SLOT_DATA_OFFSET = LINE_BYTES;

/** The request was HEAD: the body is counted but not sent. */
export const SLOT_HEAD_REQUEST_FLAG = 1 << 0;
/** The shard reached the request too late and did not start it: no response. */
export const SLOT_EXPIRED_FLAG = 1 << 1;
/** The response was streamed over the shard's channel; none of it is in the slot. */
export const SLOT_STREAM_FLAG = 1 << 2;
/** The request body is streamed over the shard's channel; only the head is in the record. */
export const SLOT_BODY_STREAM_FLAG = 1 << 3;
/** The response is no longer needed, so the shard has given the slot back without one. */
export const SLOT_ABANDONED_FLAG = 1 << 4;
/** The request holds one of its route's permits. Set and cleared by the HTTP thread while it owns the slot. */
export const SLOT_ROUTE_PERMIT_FLAG = 1 << 5;
/** The connection is closed after the response, which says so. */
export const SLOT_CLOSES_FLAG = 1 << 6;
/** Interim responses were sent over the shard's channel: the HTTP thread reads them before it takes the response. */
export const SLOT_INTERIM_FLAG = 1 << 7;
/** The client wants the connection closed after the response. */
export const SLOT_LAST_REQUEST_FLAG = 1 << 8;
/**
 * The client offers another protocol, and nothing behind the request is parsed before the response begins. The record's body is the beginning
 * of what follows the request.
 */
export const SLOT_UPGRADE_FLAG = 1 << 9;
/** The shard is to be told when the response was sent. */
export const SLOT_OBSERVED_FLAG = 1 << 10;

/** No handler was called. */
export const SLOT_NO_START = 0;

export const SLOT_FREE_STATE = 0;
/** Owned by the HTTP thread in whose range the slot lies, which fills it or sends from it. */
export const SLOT_HTTP_STATE = 1;
/** | shard << OWNER_SHIFT: published on that shard's ring; the shard that changes the word to its claim gets it. */
export const SLOT_SUBMITTED_STATE = 2;
/** | shard << OWNER_SHIFT: that shard will start it; until then the HTTP thread may revoke the claim. No thread changes the rest. */
export const SLOT_CLAIMED_STATE = 3;
/** | shard << OWNER_SHIFT: that shard has given it back; the HTTP thread owns it. */
export const SLOT_COMPLETED_STATE = 4;
/** | shard << OWNER_SHIFT: published on that shard's ring of bound submissions; no other shard may claim it. */
export const SLOT_BOUND_STATE = 5;
/** | shard << OWNER_SHIFT: that shard owns it, and is the only one that changes the word. */
export const SLOT_STARTED_STATE = 6;
/** Position of a thread's number in an owner word, of a slot or of an extent. */
export const OWNER_SHIFT = 8;
export const OWNER_STATE_MASK = (1 << OWNER_SHIFT) - 1;

export const MIN_SLOT_BYTES = 2048;
export const MAX_SLOT_BYTES = 1 << 20;
export const MAX_SLOTS = 1 << 16;

// ── extent: a piece of memory for messages that do not fit their slot ───────────────────────────────────────────────
/** Class c has extents for bodies of EXTENT_LEAST_BYTES << c bytes, with room for a head before the body. */
export const EXTENT_CLASSES = 6;
export const EXTENT_LEAST_SHIFT = 15;
export const EXTENT_HEAD_BYTES = 4096;
/** Bytes of an extent of the largest class. */
export const EXTENT_MOST_BYTES = (1 << (EXTENT_LEAST_SHIFT + EXTENT_CLASSES - 1)) + EXTENT_HEAD_BYTES;
/** Distance of owner words: those of neighbouring extents are changed by different threads. */
export const EXTENT_OWNER_SHIFT = 7;
/** The number of an extent: its class << EXTENT_CLASS_SHIFT, and its index in the class. */
export const EXTENT_CLASS_SHIFT = 16;
export const NO_EXTENT = -1;

export const EXTENT_FREE_STATE = 0;
/** | HTTP thread << OWNER_SHIFT: owned by that thread, or by the slot whose request record lies in it. */
export const EXTENT_HTTP_STATE = 1;
/** | shard << OWNER_SHIFT: that shard owns it. */
export const EXTENT_SHARD_STATE = 2;
