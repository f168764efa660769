/*
 * The bounded writer. It has no state: every function takes the position to write at and the limit it must not pass, and
 * returns the position behind what it wrote, or 0 (never a position: the magic number lies there) if it did not fit. What
 * did not fit leaves the bytes up to the limit undefined and those behind it untouched.
 *
 * The thread that owns the bytes; never blocks.
 */
import { decimalDigits, writeDecimal } from './json/digits';

/** Bytes as they are. */
export function writeBytes(position: usize, limit: usize, source: usize, bytes: i32): usize {
  if (<usize>bytes > limit - position) return 0;
  memory.copy(position, source, bytes);
  return position + bytes;
}

/** One byte of punctuation. */
export function writeByte(position: usize, limit: usize, byte: i32): usize {
  if (position >= limit) return 0;
  store<u8>(position, <u8>byte);
  return position + 1;
}

/**
 * Writes a response head so that it ends at `end`, where the body begins: the template (status line, fields and
 * "content-length: "), the length in digits, a line end, more fields, and the empty line.
 * @returns the address of the head's first byte
 */
export function writeHeadBefore(
  end: usize,
  template: usize,
  templateBytes: i32,
  fields: usize,
  fieldsBytes: i32,
  contentLength: u32,
): usize {
  const LINE_END: u16 = 0x0a0d;
  let position = end - 2;
  store<u16>(position, LINE_END);
  position -= fieldsBytes;
  memory.copy(position, fields, fieldsBytes);
  position -= 2;
  store<u16>(position, LINE_END);
  const digits = decimalDigits(contentLength);
  position -= digits;
  writeDecimal(position, contentLength, digits);
  position -= templateBytes;
  memory.copy(position, template, templateBytes);
  return position;
}
