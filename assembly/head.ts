/*
 * The head index: llhttp's callbacks for the parts of a request head, called from its WASM module directly into this one, so that a
 * request of eight header fields crosses into JavaScript once instead of nineteen times.
 *
 * Addresses that llhttp passes are in its own memory; only their offsets from the first byte of the target are kept.
 * A head that arrives in several chunks is presented at addresses that continue: the HTTP thread moves HEAD_BASE before
 * it parses the next chunk. HTTP thread only; all accesses are plain.
 */
import {
  FIELD_BYTES,
  FIELD_NAME_BYTES_OFFSET,
  FIELD_NAME_OFFSET,
  FIELD_VALUE_BYTES_OFFSET,
  FIELD_VALUE_OFFSET,
  HEAD_BASE_OFFSET,
  HEAD_BEGUN_STATE,
  HEAD_BODY_BASE_OFFSET,
  HEAD_BODY_BYTES_OFFSET,
  HEAD_BODY_FLAG,
  HEAD_BROKEN_STATE,
  HEAD_COMPLETE_STATE,
  HEAD_FIELD_COUNT_OFFSET,
  HEAD_FIELD_LIMIT_OFFSET,
  HEAD_FIELDS_OFFSET,
  HEAD_HOST_MASK,
  HEAD_HOSTS_FLAG,
  HEAD_KEEP_ALIVE_OFFSET,
  HEAD_NAME_STATE,
  HEAD_STATE_OFFSET,
  HEAD_TARGET_BYTES_OFFSET,
  HEAD_TARGET_LIMIT_OFFSET,
  HEAD_TARGET_STATE,
  HEAD_TARGET_TOO_LONG_STATE,
  HEAD_TOO_LARGE_STATE,
  HEAD_TOTAL_BYTES_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
  HEAD_UPGRADE_OFFSET,
  HEAD_VALUE_STATE,
} from './layout';

/** The head index of the HTTP thread that uses this instance. */
let headIndex: usize = 0;

/** Sets the head index. Once, before anything is parsed. */
export function headUse(address: usize): void {
  headIndex = address;
}

const HOST_BYTES = 4;
const CONTENT_LENGTH_BYTES = 14;
const TRANSFER_ENCODING_BYTES = 17;

/** Return value of a callback that stops the parser (llhttp: HPE_USER). */
const STOP = -1;

function get(offset: usize): i32 {
  return load<i32>(headIndex + offset);
}

function set(offset: usize, value: i32): void {
  store<i32>(headIndex + offset, value);
}

function fieldAddress(field: i32): usize {
  return headIndex + HEAD_FIELDS_OFFSET + <usize>field * FIELD_BYTES;
}

function stop(state: i32): i32 {
  set(HEAD_STATE_OFFSET, state);
  return STOP;
}

/** Whether fields follow the body: they are dropped (RFC 9112 section 7.1.2). */
function inTrailer(): bool {
  return get(HEAD_STATE_OFFSET) == HEAD_COMPLETE_STATE;
}

export function headBegin(_parser: i32): i32 {
  set(HEAD_STATE_OFFSET, HEAD_BEGUN_STATE);
  set(HEAD_TARGET_BYTES_OFFSET, 0);
  set(HEAD_TOTAL_BYTES_OFFSET, 0);
  set(HEAD_FIELD_COUNT_OFFSET, 0);
  set(HEAD_BODY_BYTES_OFFSET, 0);
  return 0;
}

export function headTarget(_parser: i32, at: i32, bytes: i32): i32 {
  if (get(HEAD_STATE_OFFSET) != HEAD_TARGET_STATE) {
    set(HEAD_STATE_OFFSET, HEAD_TARGET_STATE);
    set(HEAD_BASE_OFFSET, at);
  }
  const end = at + bytes - get(HEAD_BASE_OFFSET);
  if (end > get(HEAD_TARGET_LIMIT_OFFSET)) return stop(HEAD_TARGET_TOO_LONG_STATE);
  set(HEAD_TARGET_BYTES_OFFSET, end);
  set(HEAD_TOTAL_BYTES_OFFSET, end);
  return 0;
}

export function headName(_parser: i32, at: i32, bytes: i32): i32 {
  if (inTrailer()) return 0;
  const offset = at - get(HEAD_BASE_OFFSET);
  if (offset + bytes > get(HEAD_TOTAL_LIMIT_OFFSET)) return stop(HEAD_TOO_LARGE_STATE);
  let count = get(HEAD_FIELD_COUNT_OFFSET);
  if (get(HEAD_STATE_OFFSET) != HEAD_NAME_STATE) {
    if (count >= get(HEAD_FIELD_LIMIT_OFFSET)) return stop(HEAD_TOO_LARGE_STATE);
    const field = fieldAddress(count);
    store<u16>(field + FIELD_NAME_OFFSET, <u16>offset);
    store<u16>(field + FIELD_NAME_BYTES_OFFSET, <u16>bytes);
    // llhttp reports no value for a field with an empty one.
    store<u32>(field + FIELD_VALUE_OFFSET, 0);
    set(HEAD_FIELD_COUNT_OFFSET, ++count);
    set(HEAD_STATE_OFFSET, HEAD_NAME_STATE);
  } else {
    const field = fieldAddress(count - 1);
    store<u16>(field + FIELD_NAME_BYTES_OFFSET, <u16>(offset + bytes - load<u16>(field + FIELD_NAME_OFFSET)));
  }
  set(HEAD_TOTAL_BYTES_OFFSET, offset + bytes);
  return 0;
}

export function headValue(_parser: i32, at: i32, bytes: i32): i32 {
  if (inTrailer()) return 0;
  const offset = at - get(HEAD_BASE_OFFSET);
  if (offset + bytes > get(HEAD_TOTAL_LIMIT_OFFSET)) return stop(HEAD_TOO_LARGE_STATE);
  const field = fieldAddress(get(HEAD_FIELD_COUNT_OFFSET) - 1);
  if (get(HEAD_STATE_OFFSET) != HEAD_VALUE_STATE) {
    store<u16>(field + FIELD_VALUE_OFFSET, <u16>offset);
    store<u16>(field + FIELD_VALUE_BYTES_OFFSET, <u16>bytes);
    set(HEAD_STATE_OFFSET, HEAD_VALUE_STATE);
  } else {
    const start = <i32>load<u16>(field + FIELD_VALUE_OFFSET);
    // A value in two pieces with something between them is a folded line, which RFC 9112 section 5.2 forbids.
    if (offset != start + <i32>load<u16>(field + FIELD_VALUE_BYTES_OFFSET)) return stop(HEAD_BROKEN_STATE);
    store<u16>(field + FIELD_VALUE_BYTES_OFFSET, <u16>(offset + bytes - start));
  }
  set(HEAD_TOTAL_BYTES_OFFSET, offset + bytes);
  return 0;
}

/** @returns HEAD_HOST_MASK and HEAD_*_FLAG: which fields need a check */
export function headComplete(_parser: i32, _status: i32, upgrade: i32, keepAlive: i32): i32 {
  set(HEAD_STATE_OFFSET, HEAD_COMPLETE_STATE);
  set(HEAD_KEEP_ALIVE_OFFSET, keepAlive);
  set(HEAD_UPGRADE_OFFSET, upgrade);
  const count = get(HEAD_FIELD_COUNT_OFFSET);
  let found = 0;
  for (let field = 0; field < count; field++) {
    const bytes = <i32>load<u16>(fieldAddress(field) + FIELD_NAME_BYTES_OFFSET);
    if (bytes == HOST_BYTES) found |= found & HEAD_HOST_MASK ? HEAD_HOSTS_FLAG : field + 1;
    else if (bytes == CONTENT_LENGTH_BYTES || bytes == TRANSFER_ENCODING_BYTES) found |= HEAD_BODY_FLAG;
  }
  return found;
}

/**
 * Records a piece of the body while all pieces of this chunk are contiguous.
 * @returns 1 if it was recorded, 0 if the caller has to save what was recorded before
 */
export function headBody(at: i32, bytes: i32): i32 {
  const seen = get(HEAD_BODY_BYTES_OFFSET);
  if (seen == 0) set(HEAD_BODY_BASE_OFFSET, at);
  else if (get(HEAD_BODY_BASE_OFFSET) + seen != at) return 0;
  set(HEAD_BODY_BYTES_OFFSET, seen + bytes);
  return 1;
}

/** Copies the field index of the current head to `destination` (the slot's data). */
export function headCopyFields(destination: usize): void {
  memory.copy(destination, headIndex + HEAD_FIELDS_OFFSET, <usize>get(HEAD_FIELD_COUNT_OFFSET) * FIELD_BYTES);
}
