/* JSON numbers. */

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

/** Writes exactly `digits` digits. */
export function writeDecimal(position: usize, value: u64, digits: i32): void {
  let at = position + digits;
  while (at > position) {
    const next = value / 10;
    store<u8>(--at, <u8>(0x30 + (value - next * 10)));
    value = next;
  }
}

/**
 * An integer as JSON.stringify prints it: `-0` as 0.
 * @param value an integer of magnitude up to 2⁵³
 * @returns the position behind it, or 0 if it did not fit
 */
export function writeInteger(position: usize, limit: usize, value: f64): usize {
  const negative = value < 0;
  const magnitude = <u64>abs(value);
  const digits = decimalDigits(magnitude);
  if (<usize>(digits + i32(negative)) > limit - position) return 0;
  if (negative) store<u8>(position++, 0x2d);
  writeDecimal(position, magnitude, digits);
  return position + digits;
}
