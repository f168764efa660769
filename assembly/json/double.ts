/*
 * Doubles as ECMA-262 Number::toString prints them: the shortest digits that read back as the same double, and of those the
 * closest to it.
 *
 * General case: Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020). The paper multiplies the double
 * and both ends of its rounding interval by a 128-bit power of ten; here the ends are the one product plus or minus the
 * shifted power, which needs no multiplication, and most of the lower half of the power is omitted where it cannot matter.
 */
import { eightDigits, putUnsigned, toAscii } from './digits';
import { POWERS, POWERS_FIRST } from './powers';

const MINUS: u8 = 0x2d;
const POINT: u8 = 0x2e;
/** "null", "0.000000" and sixteen zeros in little-endian order. */
const NULL: u32 = 0x6c6c756e;
const ZERO_POINT: u64 = 0x3030303030302e30;
const TWO_52: f64 = 4503599627370496;
const FRACTION: u64 = 0x000fffffffffffff;
/** Maximum number of bytes that putNumber writes, which may exceed what it returns. */
export const NUMBER_ROOM: usize = 64;

/** Bits 64 to 127 of a product, from four products of 32-bit halves: WASM has no portable wider multiplication. */
function highProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

/**
 * Writes any double at `position`, which needs room for NUMBER_ROOM bytes. NaN and infinities become null, -0 becomes 0.
 * @returns the position after it
 */
export function putNumber(position: usize, value: f64): usize {
  const size = abs(value);
  // No branch, because signs of fresh numbers are unpredictable. Excludes -0, which is not below 0.
  store<u8>(position, MINUS);
  position += <usize>(value < 0);
  if (size < TWO_52) {
    // From 2⁵² on doubles are integers: adding it rounds, and leaves the integer in the low bits.
    const whole = size + TWO_52;
    if (whole - TWO_52 == size) return putUnsigned(position, reinterpret<u64>(whole) & FRACTION);
    // A decimal of at most 15 digits that reads back as `value` is its shortest form. Two places are common: prices.
    if (size < 1000000) {
      const hundredths = size * 100 + TWO_52;
      if ((hundredths - TWO_52) / 100 == size) return putHundredths(position, <u32>reinterpret<u64>(hundredths));
    }
  } else if (size < 2 * TWO_52) {
    return putUnsigned(position, <u64>size);
  } else if (!(size < Infinity)) {
    // JSON.stringify, SerializeJSONProperty: a number that is not finite is null, without a minus sign.
    if (value < 0) position--;
    store<u32>(position, NULL);
    return position + 4;
  }
  return putShortest(position, reinterpret<u64>(size));
}

/** Writes `value` < 10⁸ hundredths, not a multiple of 100. */
function putHundredths(position: usize, value: u32): usize {
  const digits = eightDigits(value);
  // At least one digit before the point is kept.
  const zeros = ctz(digits | 0x0000010000000000) >> 3;
  const text = toAscii(digits);
  store<u64>(position, text >> (zeros << 3));
  const end = position + 6 - <usize>zeros;
  store<u32>(end, <u32>POINT | ((<u32>(text >> 48)) << 8));
  return end + 2 + <usize>(digits >> 56 != 0);
}

/** Writes a finite double other than 0, given by its bits without the sign. */
function putShortest(position: usize, bits: u64): usize {
  const fraction = bits & FRACTION;
  const biased = <i32>(bits >> 52);
  const subnormal = i32(biased == 0);
  const significand = fraction | ((<u64>(1 - subnormal)) << 52);
  const exponent = biased + subnormal - 1075;
  // Below a power of two the neighbour is half as far away.
  const closer = fraction == 0 && biased > 1;
  const tenth = (exponent * 1262611 - (closer ? 524031 : 0)) >> 22;
  const shift = <u64>(exponent + ((-tenth * 1741647) >> 19) + 1);
  const power = POWERS + ((<usize>(-tenth - POWERS_FIRST)) << 4);
  const powerHigh = load<u64>(power);
  const powerLow = load<u64>(power, 8);
  const factor = significand << (shift + 2);
  // Too small by less than 2³⁴ in its middle limb: one multiplication for the lower half of the power instead of five.
  // If that cannot cause a carry, the upper limbs are exact, and the part below them is not zero.
  const carried = (powerLow >> 32) * (factor >> 32);
  const middle = powerHigh * factor + carried;
  const top = highProduct(powerHigh, factor) + u64(middle < carried);
  const halfTop = powerHigh >> (63 - shift);
  const halfMiddle = (powerHigh << (shift + 1)) | (powerLow >> (63 - shift));
  const above = middle + halfMiddle;
  const below = middle - halfMiddle;
  let value = top | 1;
  let upper = (top + halfTop + u64(above < middle)) | 1;
  let lower = (top - halfTop - u64(below > middle)) | 1;
  if (i32(closer) | i32(!isClear(middle)) | i32(!isClear(above)) | i32(!isClear(below))) {
    const half = (<u64>2) << shift;
    value = exactProduct(factor, powerHigh, powerLow);
    upper = exactProduct(factor + half, powerHigh, powerLow);
    lower = exactProduct(factor - (half >> u64(closer)), powerHigh, powerLow);
  }
  // The interval of an even significand includes its ends.
  const odd = significand & 1;
  return putChosen(position, lower + odd, value, upper - odd, tenth, closer);
}

/** Whether a limb can grow or shrink by 2³⁴ without a carry. */
function isClear(limb: u64): bool {
  return limb + (1 << 34) >= 1 << 35;
}

/** The upper limb of three, whose lowest bit also represents all bits below it. */
function exactProduct(factor: u64, powerHigh: u64, powerLow: u64): u64 {
  const carried = highProduct(powerLow, factor);
  const middle = powerHigh * factor + carried;
  return (highProduct(powerHigh, factor) + u64(middle < carried)) | u64(middle > 1);
}

/** Indexed by the lowest three bits of a number of quarters: three quarters are rounded up, two if that makes it even. */
const ROUND_UP: u64 = 0b11001000;

/**
 * Chooses among the candidates between `lower` and `upper`, all in quarters of 10^tenth: the only multiple of ten, or the
 * closer neighbour. The choice is unpredictable for fresh numbers, so selects are used instead of branches.
 */
function putChosen(position: usize, lower: u64, value: u64, upper: u64, tenth: i32, closer: bool): usize {
  const floor = value >> 2;
  let high = <u32>(floor / 100000000);
  let low = <u32>(floor - <u64>high * 100000000);
  const last = low - (low / 10) * 10;
  const ten = (floor - last) << 2;
  const tenAbove = ten + 40 <= upper;
  const tenInside = i32(lower <= ten) | i32(tenAbove);
  let step = <i32>(ROUND_UP >> (value & 7)) & 1;
  if (closer) {
    // Only if the interval is asymmetric can the closer neighbour lie outside and the other inside.
    const one = floor << 2;
    const oneAbove = one + 4 <= upper;
    if (lower <= one != oneAbove) step = i32(oneAbove);
  }
  low += select<i32>(select<i32>(10, 0, tenAbove) - <i32>last, step, tenInside);
  if (low >= 100000000) {
    low -= 100000000;
    high++;
  }
  // Subnormal numbers have fewer than 16 digits.
  while (high < 10000000) {
    const digits = (<u64>high * 100000000 + low) * 10;
    high = <u32>(digits / 100000000);
    low = <u32>(digits - <u64>high * 100000000);
    tenth--;
  }
  return putDecimal(position, high, low, tenth);
}

/**
 * Writes sixteen or seventeen digits, the last eight of them in `low`, times 10^exponent in the form that ECMA-262 prescribes
 * for the magnitude. Trailing zeros are dropped.
 */
function putDecimal(position: usize, high: u32, low: u32, exponent: i32): usize {
  const first = high / 100000000;
  // Sixteen or seventeen is unpredictable too: a first digit of 0 is overwritten by the next.
  const short = i32(first == 0);
  const upperDigits = eightDigits(high - first * 100000000);
  const lowerDigits = eightDigits(low);
  let count = 1;
  if (lowerDigits != 0) count = 17 - (<i32>clz(lowerDigits) >> 3);
  else if (upperDigits != 0) count = 9 - (<i32>clz(upperDigits) >> 3);
  count -= short;
  // Digits before the point.
  const point = 17 + exponent - short;

  let start = position;
  if (point <= 0 && point > -6) {
    store<u64>(position, ZERO_POINT);
    start = position + 2 - point;
  }
  store<u8>(start, <u8>(0x30 + first));
  store<u64>(start + 1 - short, toAscii(upperDigits));
  store<u64>(start + 9 - short, toAscii(lowerDigits));
  if (start != position) return start + count;
  if (point > 0 && point <= 21)
    return count <= point ? padZeros(position, count, point) : putPoint(position, count, point);
  return putExponent(count > 1 ? putPoint(position, count, 1) : position + 1, point - 1);
}

/** Moves the digits after the point by one byte; there are at most 16. */
function putPoint(position: usize, count: i32, point: i32): usize {
  const at = position + point;
  v128.store(at + 1, v128.load(at));
  store<u8>(at, POINT);
  return position + count + 1;
}

function padZeros(position: usize, count: i32, point: i32): usize {
  v128.store(position + count, i8x16.splat(0x30));
  store<u64>(position + count + 16, 0x3030303030303030);
  return position + point;
}

function putExponent(position: usize, exponent: i32): usize {
  store<u8>(position, 0x65);
  store<u8>(position + 1, exponent < 0 ? MINUS : 0x2b);
  return putUnsigned(position + 2, <u64>abs(exponent));
}
