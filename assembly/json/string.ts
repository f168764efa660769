/* JSON strings. */

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

/**
 * A JSON string from `bytes` bytes of UTF-8 at `source`, quoted and escaped as JSON.stringify does: quotation mark,
 * reverse solidus and the control characters, five of them by their short names (ECMA-262, QuoteJSONString).
 * @returns the position behind it, or 0 if it did not fit
 */
export function writeString(position: usize, limit: usize, source: usize, bytes: i32): usize {
  if (limit - position < 2) return 0;
  store<u8>(position++, QUOTE);
  const end = source + bytes;
  for (; source < end; source++) {
    const byte = load<u8>(source);
    // Room for the longest escape and the closing quote, or an exact look.
    if (limit - position < 7 && limit - position < <usize>escapedBytes(byte) + 1) return 0;
    if (byte >= 0x20 && byte != QUOTE && byte != BACKSLASH) store<u8>(position++, byte);
    else position = writeEscape(position, byte);
  }
  store<u8>(position++, QUOTE);
  return position;
}

/** The letter of a two-character escape, or 0 if `byte` has none. */
function shortEscape(byte: u8): u8 {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
      return byte;
    case 0x08:
      return 0x62;
    case 0x09:
      return 0x74;
    case 0x0a:
      return 0x6e;
    case 0x0c:
      return 0x66;
    case 0x0d:
      return 0x72;
    default:
      return 0;
  }
}

function escapedBytes(byte: u8): i32 {
  if (byte >= 0x20 && byte != QUOTE && byte != BACKSLASH) return 1;
  return shortEscape(byte) ? 2 : 6;
}

function writeEscape(position: usize, byte: u8): usize {
  store<u8>(position, BACKSLASH);
  const letter = shortEscape(byte);
  if (letter) {
    store<u8>(position + 1, letter);
    return position + 2;
  }
  // "u00" in little-endian order, then two hexadecimal digits in lower case.
  store<u8>(position + 1, 0x75);
  store<u16>(position + 2, 0x3030);
  store<u8>(position + 4, 0x30 + (byte >> 4));
  const low = byte & 15;
  store<u8>(position + 5, low < 10 ? 0x30 + low : 0x57 + low);
  return position + 6;
}
