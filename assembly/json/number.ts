/* JSON numbers within bounds. Numbers are formed with whole-word stores, which need more room than the number itself. */

import { decimalDigits, putSmall, putUnsigned, writeDecimal } from './digits';
import { NUMBER_ROOM, putNumber } from './double';

const MINUS: u8 = 0x2d;
const COMMA: u8 = 0x2c;

/** Copies the bytes formed at `work`, up to `end`, if they fit. */
function copyFormed(position: usize, limit: usize, work: usize, end: usize): usize {
  const bytes = end - work;
  if (bytes > limit - position) return 0;
  memory.copy(position, work, bytes);
  return position + bytes;
}

/**
 * Writes a double as JSON.stringify prints it: NaN and infinities as null, -0 as 0.
 * @param work NUMBER_ROOM bytes of the calling thread's scratch
 * @returns the position after it, or 0 if it did not fit
 */
export function jsonNumber(position: usize, limit: usize, value: f64, work: usize): usize {
  if (limit - position >= NUMBER_ROOM) return putNumber(position, value);
  return copyFormed(position, limit, work, putNumber(work, value));
}

function putInt32(position: usize, value: i32): usize {
  // No branch on the sign, which may be unpredictable.
  store<u8>(position, MINUS);
  const size = <u32>abs(value);
  position += <usize>(value < 0);
  return size < 100000000 ? putSmall(position, size) : putUnsigned(position, size);
}

/** Writes a 32-bit integer. */
export function jsonInt32(position: usize, limit: usize, value: i32, work: usize): usize {
  if (limit - position >= NUMBER_ROOM) return putInt32(position, value);
  return copyFormed(position, limit, work, putInt32(work, value));
}

/**
 * Writes an integer as JSON.stringify prints it: `-0` as 0.
 * @param value an integer of magnitude up to 2⁵³
 * @returns the position after it, or 0 if it did not fit
 */
export function writeInteger(position: usize, limit: usize, value: f64): usize {
  const negative = value < 0;
  const magnitude = <u64>abs(value);
  const digits = decimalDigits(magnitude);
  if (<usize>(digits + i32(negative)) > limit - position) return 0;
  if (negative) store<u8>(position++, MINUS);
  writeDecimal(position, magnitude, digits);
  return position + digits;
}

/** Writes `count` doubles from `source`, separated by commas. */
export function jsonNumbers(position: usize, limit: usize, source: usize, count: i32, work: usize): usize {
  const last = source + ((<usize>count) << 3) - 8;
  for (; source < last && limit - position > NUMBER_ROOM; source += 8) {
    position = putNumber(position, load<f64>(source));
    store<u8>(position++, COMMA);
  }
  for (; source < last; source += 8) {
    position = jsonNumber(position, limit, load<f64>(source), work);
    if (position == 0 || position >= limit) return 0;
    store<u8>(position++, COMMA);
  }
  return source == last ? jsonNumber(position, limit, load<f64>(source), work) : position;
}

/** Writes `count` 32-bit integers from `source`, separated by commas. */
export function jsonInt32s(position: usize, limit: usize, source: usize, count: i32, work: usize): usize {
  const last = source + ((<usize>count) << 2) - 4;
  for (; source < last && limit - position > NUMBER_ROOM; source += 4) {
    position = putInt32(position, load<i32>(source));
    store<u8>(position++, COMMA);
  }
  for (; source < last; source += 4) {
    position = jsonInt32(position, limit, load<i32>(source), work);
    if (position == 0 || position >= limit) return 0;
    store<u8>(position++, COMMA);
  }
  return source == last ? jsonInt32(position, limit, load<i32>(source), work) : position;
}
