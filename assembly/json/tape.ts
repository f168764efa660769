/* Runs a tape (./layout.ts): writes many values in one call. */
import {
  FRAGMENT_TEXT_OFFSET,
  TAPE_CHARS_OFFSET,
  TAPE_NUMBERS_OFFSET,
  TAPE_SPLIT_PAIR,
  TAPE_TEXT_OFFSET,
  TAPE_TOKENS_OFFSET,
  TOKEN_CHARS,
  TOKEN_FALSE,
  TOKEN_INT32,
  TOKEN_INT32S,
  TOKEN_KIND_MASK,
  TOKEN_NULL,
  TOKEN_NUMBER,
  TOKEN_NUMBERS,
  TOKEN_RAW,
  TOKEN_TEXT,
  TOKEN_TRUE,
} from './layout';
import { jsonInt32, jsonInt32s, jsonNumber, jsonNumbers } from './number';
import { unitsToBytes, writeString } from './string';

const NULL: u32 = 0x6c6c756e;
const TRUE: u32 = 0x65757274;
/** "fals": the e is a separate byte. */
const FALS: u32 = 0x736c6166;

/** Copies few bytes in registers: memory.copy is a call into the engine. May read the source up to 15 bytes past its end. */
function copyShort(position: usize, limit: usize, source: usize, bytes: usize): usize {
  if (limit - position < bytes + 16) return copyExactly(position, limit, source, bytes);
  let done: usize = 0;
  do {
    v128.store(position + done, v128.load(source + done));
    done += 16;
  } while (done < bytes);
  return position + bytes;
}

function copyExactly(position: usize, limit: usize, source: usize, bytes: usize): usize {
  if (bytes > limit - position) return 0;
  memory.copy(position, source, bytes);
  return position + bytes;
}

function writeWord(position: usize, limit: usize, word: u32): usize {
  if (limit - position < 4) return 0;
  store<u32>(position, word);
  return position + 4;
}

/** Writes a boolean. No branch, because fresh booleans are unpredictable. */
function writeBoolean(position: usize, limit: usize, no: usize): usize {
  if (limit - position < 4 + no) return 0;
  store<u32>(position, select<u32>(FALS, TRUE, <i32>no));
  if (limit - position > 4) store<u8>(position + 4, 0x65);
  return position + 4 + no;
}

/**
 * Executes `words` words of the tape at `tape`.
 * @param ascii 1 if the text is all ASCII, so that its UTF-16 units are bytes
 * @returns the position after the written bytes; 0 if they did not fit; or TAPE_SPLIT_PAIR
 */
export function jsonRun(position: usize, limit: usize, tape: usize, words: i32, ascii: i32): usize {
  let at = tape + TAPE_TOKENS_OFFSET;
  const end = at + ((<usize>words) << 2);
  let numbers = tape + TAPE_NUMBERS_OFFSET;
  let chars = tape + TAPE_CHARS_OFFSET;
  let text = tape + TAPE_TEXT_OFFSET;
  while (at < end) {
    const token = load<u32>(at);
    const operand = load<i32>(at, 4);
    at += 4;
    const fragment = <usize>(token & ~TOKEN_KIND_MASK);
    if (fragment) {
      position = copyShort(position, limit, fragment + FRAGMENT_TEXT_OFFSET, <usize>load<u32>(fragment));
      if (!position) return 0;
    }
    switch (token & TOKEN_KIND_MASK) {
      case TOKEN_INT32: {
        position = jsonInt32(position, limit, operand, tape);
        at += 4;
        break;
      }
      case TOKEN_NUMBER: {
        position = jsonNumber(position, limit, load<f64>(numbers), tape);
        numbers += 8;
        break;
      }
      case TOKEN_TEXT:
      case TOKEN_RAW: {
        const bytes = ascii ? operand : unitsToBytes(text, operand);
        if (bytes < 0) return TAPE_SPLIT_PAIR;
        position = writeText(position, limit, text, bytes, token & TOKEN_KIND_MASK);
        text += bytes;
        at += 4;
        break;
      }
      case TOKEN_CHARS: {
        position = writeString(position, limit, chars, operand);
        chars += operand;
        at += 4;
        break;
      }
      case TOKEN_TRUE:
      case TOKEN_FALSE: {
        position = writeBoolean(position, limit, <usize>(token & TOKEN_KIND_MASK) - TOKEN_TRUE);
        break;
      }
      case TOKEN_NULL: {
        position = writeWord(position, limit, NULL);
        break;
      }
      case TOKEN_INT32S: {
        position = jsonInt32s(position, limit, at + 4, operand, tape);
        at += 4 + ((<usize>operand) << 2);
        break;
      }
      case TOKEN_NUMBERS: {
        position = jsonNumbers(position, limit, numbers, operand, tape);
        numbers += (<usize>operand) << 3;
        at += 4;
        break;
      }
    }
    if (!position) return 0;
  }
  return position;
}

function writeText(position: usize, limit: usize, text: usize, bytes: i32, kind: i32): usize {
  if (kind == TOKEN_RAW) return copyExactly(position, limit, text, bytes);
  return writeString(position, limit, text, bytes);
}
