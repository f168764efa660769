/*
 * The bounded writer. It has no state: every function takes the position to write at and the limit it must not pass, and
 * returns the position after the written bytes, or 0 (never a position: the magic number lies there) if they did not fit. Then
 * the bytes up to the limit are undefined and those after it untouched.
 *
 * For the thread that owns the bytes; never blocks.
 */
import { decimalDigits, writeDecimal } from './json/digits';

/** Copies bytes. */
export function writeBytes(position: usize, limit: usize, source: usize, bytes: i32): usize {
  if (<usize>bytes > limit - position) return 0;
  memory.copy(position, source, bytes);
  return position + bytes;
}

/** "content-" and "length: " as little-endian words. */
const CONTENT: u64 = 0x2d746e65746e6f63;
const LENGTH: u64 = 0x203a6874676e656c;
const LINE_END: u16 = 0x0a0d;

/**
 * Writes a response head so that it ends at `end`, where the body begins: the template (whole lines: the status line and
 * the fields that repeat), content-length, and the empty line. Further fields, also whole lines, already precede the empty
 * line. The caller guarantees the room: templateBytes + fieldsBytes + 30.
 * @param contentLength bytes, or -1 for a response without a length
 * @returns the address of the head's first byte
 */
export function writeHeadBefore(
  end: usize,
  template: usize,
  templateBytes: i32,
  fieldsBytes: i32,
  contentLength: i32,
): usize {
  let position = end - 2;
  store<u16>(position, LINE_END);
  position -= fieldsBytes;
  if (contentLength >= 0) {
    position -= 2;
    store<u16>(position, LINE_END);
    const digits = decimalDigits(contentLength);
    position -= digits;
    writeDecimal(position, contentLength, digits);
    position -= 16;
    store<u64>(position, CONTENT);
    store<u64>(position + 8, LENGTH);
  }
  position -= templateBytes;
  memory.copy(position, template, templateBytes);
  return position;
}
