import {
  FIELD_BYTES,
  FIELD_NAME_BYTES_OFFSET,
  FIELD_NAME_OFFSET,
  FIELD_VALUE_BYTES_OFFSET,
  FIELD_VALUE_OFFSET,
} from '../../assembly/layout.js';
import { trimEnd } from '../options/field-syntax.js';

const SPACE = 0x20;

/**
 * Returns names and values of all header fields as they were sent, one after the other. For the thread that may read the memory.
 * @param head from the target to the last value, as Latin-1
 * @param u16 memory that contains the field index
 * @param first index of its first number
 */
export function readPairs(head: string, u16: Uint16Array, first: number, fieldCount: number): string[] {
  const pairs = new Array<string>(2 * fieldCount);
  for (let i = 0, at = first; i < fieldCount; i++, at += FIELD_BYTES >> 1) {
    const name = u16[at + (FIELD_NAME_OFFSET >> 1)];
    const value = u16[at + (FIELD_VALUE_OFFSET >> 1)];
    const end = value + u16[at + (FIELD_VALUE_BYTES_OFFSET >> 1)];
    const text = head.slice(value, end);
    pairs[2 * i] = head.slice(name, name + u16[at + (FIELD_NAME_BYTES_OFFSET >> 1)]);
    // Only white space can be as small.
    pairs[2 * i + 1] = head.charCodeAt(end - 1) <= SPACE ? trimEnd(text) : text;
  }
  return pairs;
}
