/*
 * JSON strings: ECMA-262, QuoteJSONString. Quotation mark, reverse solidus and the control characters are escaped, five of them by
 * their short names. The text is UTF-8, so it cannot contain lone surrogates: JavaScript escapes those.
 */
const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

/**
 * Writes a JSON string from `bytes` bytes of UTF-8 at `source`, in quotes. Reads up to 31 bytes past the source, but never past
 * the memory.
 * @returns the position after it, or 0 if it did not fit
 */
export function writeString(position: usize, limit: usize, source: usize, bytes: i32): usize {
  if (<u32>bytes < 32 && limit - position >= 34) {
    // Always two blocks: the lengths of fresh strings are unpredictable.
    // In place, the written bytes must not reach those that are read again.
    if (source - position > 32 && ((<usize>memory.size()) << 16) - source >= 32) {
      const first = v128.load(source);
      const second = v128.load(source, 16);
      v128.store(position + 1, first);
      v128.store(position + 1, second, 16);
      if (!((escapeMask(first) | (escapeMask(second) << 16)) & ~(-1 << bytes))) {
        store<u8>(position, QUOTE);
        store<u8>(position + bytes, QUOTE, 1);
        return position + bytes + 2;
      }
    }
  } else if (position >= limit) return 0;
  store<u8>(position, QUOTE);
  position = escapeText(position + 1, limit, source, bytes);
  if (position == 0 || position >= limit) return 0;
  store<u8>(position, QUOTE);
  return position + 1;
}

/**
 * Writes the content of a JSON string, 16 bytes at a time. Reads up to 15 bytes past the source, but never past the memory.
 * @returns the position after it, or 0 if it did not fit
 */
export function escapeText(position: usize, limit: usize, source: usize, bytes: i32): usize {
  const end = source + bytes;
  const memoryEnd = (<usize>memory.size()) << 16;
  while (source < end) {
    // In place, the written block must not reach bytes that are still to be read.
    if (limit - position < 16 || memoryEnd - source < 16 || source - position < 16)
      return escapeTextScalar(position, limit, source, <i32>(end - source));
    const block = v128.load(source);
    v128.store(position, block);
    let mask = escapeMask(block);
    if (end - source >= 16) {
      // No dependency on the mask here: the next block is loaded while this one is checked.
      if (!mask) {
        source += 16;
        position += 16;
        continue;
      }
    } else {
      // Lanes after the end count as found, so one comparison ends both kinds of run.
      const left = <i32>(end - source);
      mask |= 1 << left;
      if (ctz(mask) == left) return position + left;
    }
    const found = ctz(mask);
    source += found;
    position += found;
    const byte = load<u8>(source++);
    if (limit - position < 8) return escapeTextScalar(position, limit, source - 1, <i32>(end - source) + 1);
    position = putEscape(position, byte);
  }
  return position;
}

/**
 * Makes a JSON string of `bytes` bytes of UTF-8 that already lie at `position` + 1, their final place if nothing needs an escape.
 * Otherwise the rest is moved to the far end and escaped from there.
 * @returns the position after it, or 0 if it did not fit
 */
export function quoteInPlace(position: usize, limit: usize, bytes: i32): usize {
  if (limit - position < <usize>bytes + 2) return 0;
  store<u8>(position, QUOTE);
  const start = position + 1;
  const end = start + bytes;
  const clean = cleanBytes(start, end);
  let behind = start + clean;
  if (behind < end) {
    const rest = end - behind;
    memory.copy(limit - rest, behind, rest);
    behind = escapeText(behind, limit, limit - rest, <i32>rest);
    if (behind == 0 || behind >= limit) return 0;
  }
  store<u8>(behind, QUOTE);
  return behind + 1;
}

/** Number of bytes from `start` before the first that needs an escape. */
function cleanBytes(start: usize, end: usize): usize {
  let at = start;
  for (; end - at >= 64; at += 64) {
    const first = v128.or(escapeLanes(v128.load(at)), escapeLanes(v128.load(at + 16)));
    const second = v128.or(escapeLanes(v128.load(at + 32)), escapeLanes(v128.load(at + 48)));
    if (v128.any_true(v128.or(first, second))) break;
  }
  for (; end - at >= 16; at += 16) {
    const found = escapeMask(v128.load(at));
    if (found) return at + ctz(found) - start;
  }
  while (at < end && escapedBytes(load<u8>(at)) == 1) at++;
  return at - start;
}

/**
 * Whether `bytes` bytes of UTF-8 contain U+FFFD, which Node.js writes for a lone surrogate: without it, the text was well formed.
 * This is several times faster than asking the string.
 */
export function hasReplacement(source: usize, bytes: i32): i32 {
  if (bytes < 3) return 0;
  // Searches the first two of its three bytes, which occur only in the last 64 code points of the plane.
  const last = source + bytes - 1;
  let at = source;
  for (; at + 32 < last; at += 32) {
    if (v128.any_true(v128.or(replacementLanes(at), replacementLanes(at + 16)))) return 1;
  }
  for (; at < last; at++) if (load<u16>(at) == 0xbfef) return 1;
  return 0;
}

function replacementLanes(at: usize): v128 {
  const first = i8x16.eq(v128.load(at), i8x16.splat(<i8>0xef));
  return v128.and(first, i8x16.eq(v128.load(at + 1), i8x16.splat(<i8>0xbf)));
}

/** One bit for each byte of the block that needs an escape. */
function escapeMask(block: v128): i32 {
  return i8x16.bitmask(escapeLanes(block));
}

function escapeLanes(block: v128): v128 {
  const special = v128.or(i8x16.eq(block, i8x16.splat(QUOTE)), i8x16.eq(block, i8x16.splat(BACKSLASH)));
  // min == itself is "at most", in one instruction less than lt_u.
  return v128.or(special, i8x16.eq(i8x16.min_u(block, i8x16.splat(0x1f)), block));
}

/** The same, one byte at a time: used near a limit, and by tests as the reference of escapeText. */
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
 * Number of UTF-8 bytes that form `units` UTF-16 units.
 * @returns -1 if the units end inside a surrogate pair
 */
export function unitsToBytes(source: usize, units: i32): i32 {
  let at = source;
  const memoryEnd = (<usize>memory.size()) << 16;
  // 16 bytes are at most 16 units, so the loop always leaves a character: the one before it ends where its bytes begin.
  while (units > 16 && memoryEnd - at >= 16) {
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

/** Escapes of the control characters, each in eight bytes, little-endian. */
// biome-ignore format: four in a line
const ESCAPES: usize = memory.data<u64>([
  0x000030303030755c, 0x000031303030755c, 0x000032303030755c, 0x000033303030755c,
  0x000034303030755c, 0x000035303030755c, 0x000036303030755c, 0x000037303030755c,
  0x000000000000625c, 0x000000000000745c, 0x0000000000006e5c, 0x000062303030755c,
  0x000000000000665c, 0x000000000000725c, 0x000065303030755c, 0x000066303030755c,
  0x000030313030755c, 0x000031313030755c, 0x000032313030755c, 0x000033313030755c,
  0x000034313030755c, 0x000035313030755c, 0x000036313030755c, 0x000037313030755c,
  0x000038313030755c, 0x000039313030755c, 0x000061313030755c, 0x000062313030755c,
  0x000063313030755c, 0x000064313030755c, 0x000065313030755c, 0x000066313030755c,
]);
/** One bit for each control character with an escape of two characters. */
const SHORT_ESCAPES: u32 = (1 << 8) | (1 << 9) | (1 << 10) | (1 << 12) | (1 << 13);

/** Writes the escape of `byte`, which needs one. May write eight bytes, whatever it returns. */
function putEscape(position: usize, byte: u8): usize {
  if (byte >= 0x20) {
    store<u16>(position, <u16>BACKSLASH | ((<u16>byte) << 8));
    return position + 2;
  }
  store<u64>(position, load<u64>(ESCAPES + ((<usize>byte) << 3)));
  return position + select<usize>(2, 6, (SHORT_ESCAPES >> byte) & 1);
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
