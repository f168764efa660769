/*
 * Decimal digits, eight at a time: two four-digit halves, then four pairs, then eight digits side by side in one 64-bit
 * word, each step one multiplication for all lanes. Quotient and remainder side by side, q + (v − 10·q)·2⁸, are
 * v·2⁸ − q·(10·2⁸ − 1): a shift, a multiplication and a subtraction. We tried a table of digit pairs: it costs a dependent load for each.
 */
const ASCII_ZEROS: u64 = 0x3030303030303030;

/** The eight digits of `value` < 10⁸ as bytes 0 to 9, the first digit in the lowest byte. */
export function eightDigits(value: u32): u64 {
  const high = <u64>(value / 10000);
  const halves = ((<u64>value) << 32) - high * ((10000 << 32) - 1);
  const hundreds = ((halves * 10486) >> 20) & 0x0000007f0000007f;
  const pairs = (halves << 16) - hundreds * ((100 << 16) - 1);
  const tens = ((pairs * 103) >> 10) & 0x000f000f000f000f;
  return (pairs << 8) - tens * ((10 << 8) - 1);
}

export function toAscii(digits: u64): u64 {
  return digits | ASCII_ZEROS;
}

/** Decimal digits of `value`: 1 to 20. */
export function decimalDigits(value: u64): i32 {
  let digits = 1;
  while (value >= 10000) {
    value /= 10000;
    digits += 4;
  }
  if (value >= 1000) return digits + 3;
  if (value >= 100) return digits + 2;
  if (value >= 10) return digits + 1;
  return digits;
}

/** Writes exactly `digits` digits, and no other byte. */
export function writeDecimal(position: usize, value: u64, digits: i32): void {
  let at = position + digits;
  while (at > position) {
    const next = value / 10;
    store<u8>(--at, <u8>(0x30 + (value - next * 10)));
    value = next;
  }
}

/** Writes `value` without leading zeros. May write up to 24 bytes, whatever it returns. */
export function putUnsigned(position: usize, value: u64): usize {
  return value < 100000000 ? putSmall(position, <u32>value) : putLarge(position, value);
}

/** Writes `value` < 10⁸. Writes eight bytes. */
export function putSmall(position: usize, value: u32): usize {
  const digits = eightDigits(value);
  // The lowest seven bytes can be leading zeros; the last digit always stays.
  const zeros = ctz(digits | 0x0100000000000000) >> 3;
  store<u64>(position, toAscii(digits) >> (zeros << 3));
  return position + 8 - <usize>zeros;
}

function putLarge(position: usize, value: u64): usize {
  const high = value / 100000000;
  position = high < 100000000 ? putSmall(position, <u32>high) : putLarge(position, high);
  store<u64>(position, toAscii(eightDigits(<u32>(value - high * 100000000))));
  return position + 8;
}
