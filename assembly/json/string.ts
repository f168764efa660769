/*
 * JSON strings: ECMA-262, QuoteJSONString. Quotation mark, reverse solidus and the control characters are escaped, five of
 * them by their short names. The text is UTF-8, so lone surrogates cannot be in it: JavaScript escapes those.
 */
const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

/**
 * A JSON string from `bytes` bytes of UTF-8 at `source`, in quotes.
 * @returns the position behind it, or 0 if it did not fit
 */
export function writeString(position: usize, limit: usize, source: usize, bytes: i32): usize {
  if (position >= limit) return 0;
  store<u8>(position, QUOTE);
  position = escapeText(position + 1, limit, source, bytes);
  if (position == 0 || position >= limit) return 0;
  store<u8>(position, QUOTE);
  return position + 1;
}

/**
 * The inside of a JSON string, 16 bytes at a time. Reads up to 15 bytes past the source, but never past the memory.
 * @returns the position behind it, or 0 if it did not fit
 */
export function escapeText(position: usize, limit: usize, source: usize, bytes: i32): usize {
  const end = source + bytes;
  const memoryEnd = (<usize>memory.size()) << 16;
  while (source < end) {
    if (limit - position < 16 || memoryEnd - source < 16)
      return escapeTextScalar(position, limit, source, <i32>(end - source));
    const block = v128.load(source);
    v128.store(position, block);
    const left = <i32>min<usize>(end - source, 16);
    // Lanes behind the end count as found, so one comparison ends both kinds of run.
    const found = ctz(escapeMask(block) | (1 << left));
    source += found;
    position += found;
    if (found == left) continue;
    const byte = load<u8>(source++);
    if (limit - position < <usize>escapedBytes(byte)) return 0;
    position = writeEscape(position, byte);
  }
  return position;
}

/** One bit for each byte of the block that needs an escape. */
function escapeMask(block: v128): i32 {
  const special = v128.or(i8x16.eq(block, i8x16.splat(QUOTE)), i8x16.eq(block, i8x16.splat(BACKSLASH)));
  return i8x16.bitmask(v128.or(special, i8x16.lt_u(block, i8x16.splat(0x20))));
}

/** The same one byte at a time: near a limit, and what tests compare escapeText with. */
export function escapeTextScalar(position: usize, limit: usize, source: usize, bytes: i32): usize {
  const end = source + bytes;
  for (; source < end; source++) {
    const byte = load<u8>(source);
    if (limit - position < <usize>escapedBytes(byte)) return 0;
    if (byte >= 0x20 && byte != QUOTE && byte != BACKSLASH) store<u8>(position++, byte);
    else position = writeEscape(position, byte);
  }
  return position;
}

/**
 * Bytes of UTF-8 that make `units` UTF-16 units.
 * @returns -1 if the units end inside a surrogate pair
 */
export function unitsToBytes(source: usize, units: i32): i32 {
  let at = source;
  const memoryEnd = (<usize>memory.size()) << 16;
  // 16 bytes are at most 16 units, so the loop never passes the end.
  while (units >= 16 && memoryEnd - at >= 16) {
    const block = v128.load(at);
    const leads = i8x16.bitmask(i8x16.gt_s(block, i8x16.splat(-65)));
    const pairs = i8x16.bitmask(i8x16.ge_u(block, i8x16.splat(<i8>0xf0)));
    units -= popcnt(leads) + popcnt(pairs);
    at += 16;
  }
  while (at > source && (load<u8>(at) & 0xc0) == 0x80) at++;
  while (units > 0) {
    const lead = load<u8>(at);
    units -= lead >= 0xf0 ? 2 : 1;
    at += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  }
  return units < 0 ? -1 : <i32>(at - source);
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
