/*
 * Doubles as ECMA-262 Number::toString prints them: the shortest digits that read back as the same double, and of those
 * the closest to it.
 *
 * General case: Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020). The paper multiplies the double
 * and both ends of its rounding interval by a 128-bit power of ten; here the ends are the one product plus or minus the
 * shifted power, which needs no multiplication.
 */
import { eightDigits, putSmall, putUnsigned, toAscii } from './digits';
import { POWERS, POWERS_FIRST } from './powers';

const MINUS: u8 = 0x2d;
const POINT: u8 = 0x2e;
/** "null", "0.000000" and sixteen zeros in little-endian order. */
const NULL: u32 = 0x6c6c756e;
const ZERO_POINT: u64 = 0x3030303030302e30;
/** Bytes that putNumber may write, which is more than it returns as written. */
export const NUMBER_ROOM: usize = 64;

/** Bits 64 to 127 of a product, from four products of 32-bit halves: WASM has no wider multiplication everywhere. */
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
 * Any double at `position`, where NUMBER_ROOM bytes can be written. NaN and infinities become null, -0 becomes 0.
 * @returns the position behind it
 */
export function putNumber(position: usize, value: f64): usize {
  const size = abs(value);
  // Signs of fresh numbers cannot be predicted, so there is no branch on them. Not of -0, which is not below 0.
  store<u8>(position, MINUS);
  position += <usize>(value < 0);
  if (size < 9007199254740992) {
    const whole = <i64>size;
    if (<f64>whole == size) return putUnsigned(position, <u64>whole);
    // A decimal of at most 15 digits that reads back as `value` is its shortest form. Two places are common: prices.
    const hundredths = nearest(size * 100);
    if (hundredths < 100000000 && hundredths / 100 == size) return putHundredths(position, <u32>hundredths);
  } else if (!(size < Infinity)) {
    // JSON.stringify, SerializeJSONProperty: a number that is not finite is null; no minus sign.
    if (value < 0) position--;
    store<u32>(position, NULL);
    return position + 4;
  }
  return putShortest(position, reinterpret<u64>(size));
}

/** `value` < 10⁸ hundredths, not a multiple of 100. */
function putHundredths(position: usize, value: u32): usize {
  const whole = value / 100;
  const end = putSmall(position, whole);
  const part = value - whole * 100;
  const tens = (part * 103) >> 10;
  const ones = part - tens * 10;
  store<u32>(end, <u32>POINT | ((0x30 + tens) << 8) | ((0x30 + ones) << 16));
  return end + 2 + <usize>(ones != 0);
}

/** A finite double that is not 0, by its bits without the sign. */
function putShortest(position: usize, bits: u64): usize {
  const fraction = bits & 0x000fffffffffffff;
  const biased = <i32>(bits >> 52);
  const significand = biased ? fraction | 0x0010000000000000 : fraction;
  const exponent = (biased ? biased : 1) - 1075;
  // Below a power of two the neighbour is half as far.
  const closer = fraction == 0 && biased > 1;
  const tenth = (exponent * 1262611 - (closer ? 524031 : 0)) >> 22;
  const shift = <u64>(exponent + ((-tenth * 1741647) >> 19) + 1);
  const power = POWERS + ((<usize>(-tenth - POWERS_FIRST)) << 4);
  return chooseDigits(position, significand, shift, load<u64>(power), load<u64>(power, 8), closer, tenth);
}

/** The end of the rounding interval, or the middle, with all that lies below its lowest bit gathered in that bit. */
function roundToOdd(high: u64, low: u64): u64 {
  return high | u64(low > 1);
}

function chooseDigits(
  position: usize,
  significand: u64,
  shift: u64,
  powerHigh: u64,
  powerLow: u64,
  closer: bool,
  tenth: i32,
): usize {
  const factor = significand << (shift + 2);
  // middle = factor · power, in three 64-bit limbs.
  const bottom = powerLow * factor;
  const carried = highProduct(powerLow, factor);
  const middle = powerHigh * factor + carried;
  const top = highProduct(powerHigh, factor) + u64(middle < carried);
  // Half of the interval = power · 2 · 2^shift.
  const up = shift + 1;
  const upTop = powerHigh >> (64 - up);
  const upMiddle = (powerHigh << up) | (powerLow >> (64 - up));
  const upBottom = powerLow << up;
  let downTop = upTop;
  let downMiddle = upMiddle;
  let downBottom = upBottom;
  if (closer) {
    downTop = powerHigh >> (64 - shift);
    downMiddle = (powerHigh << shift) | (powerLow >> (64 - shift));
    downBottom = powerLow << shift;
  }
  const carry = u64(bottom + upBottom < bottom);
  const upperSum = middle + upMiddle;
  const upperMiddle = upperSum + carry;
  const upper = roundToOdd(top + upTop + u64(upperSum < middle) + u64(upperMiddle < carry), upperMiddle);
  const borrow = u64(bottom < downBottom);
  const lowerDifference = middle - downMiddle;
  const lowerMiddle = lowerDifference - borrow;
  const lower = roundToOdd(top - downTop - u64(middle < downMiddle) - u64(lowerDifference < borrow), lowerMiddle);
  // Of an even significand the ends of the interval belong to it.
  const odd = significand & 1;
  return putChosen(position, lower + odd, roundToOdd(top, middle), upper - odd, tenth);
}

/**
 * Chooses among the candidates between `lower` and `upper`, all in quarters of 10^tenth: the one multiple of ten, or the
 * closer neighbour. Which it is, is a toss-up for fresh numbers: selects, no branches.
 */
function putChosen(position: usize, lower: u64, value: u64, upper: u64, tenth: i32): usize {
  const floor = value >> 2;
  let high = <u32>(floor / 100000000);
  let low = <u32>(floor - <u64>high * 100000000);
  const last = low - (low / 10) * 10;
  const ten = (floor - last) << 2;
  const tenAbove = ten + 40 <= upper;
  const tenInside = i32(floor >= 10) & i32(lower <= ten != tenAbove);
  const one = floor << 2;
  const oneAbove = one + 4 <= upper;
  const roundUp = i32(value > one + 2) | (i32(value == one + 2) & <i32>(floor & 1));
  const oneStep = select<i32>(i32(oneAbove), roundUp, lower <= one != oneAbove);
  low += select<i32>(select<i32>(10, 0, tenAbove) - <i32>last, oneStep, tenInside);
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
  // From 16 digits to 17, without a branch either.
  const short = high < 100000000;
  const factor = select<u32>(10, 1, short);
  const carried = select<u32>(low / 10000000, 0, short);
  return putDecimal(position, high * factor + carried, low * factor - carried * 100000000, tenth - i32(short));
}

/**
 * Seventeen digits, nine and eight, times 10^exponent in the form that ECMA-262 prescribes for the size. Trailing zeros
 * are dropped.
 */
function putDecimal(position: usize, high: u32, low: u32, exponent: i32): usize {
  const first = high / 100000000;
  const upperDigits = eightDigits(high - first * 100000000);
  const lowerDigits = eightDigits(low);
  let count = 1;
  if (lowerDigits != 0) count = 17 - (<i32>clz(lowerDigits) >> 3);
  else if (upperDigits != 0) count = 9 - (<i32>clz(upperDigits) >> 3);
  // Digits before the point.
  const point = 17 + exponent;

  let start = position;
  if (point <= 0 && point > -6) {
    store<u64>(position, ZERO_POINT);
    start = position + 2 - point;
  }
  store<u8>(start, <u8>(0x30 + first));
  store<u64>(start + 1, toAscii(upperDigits));
  store<u64>(start + 9, toAscii(lowerDigits));
  if (start != position) return start + count;
  if (point > 0 && point <= 21)
    return count <= point ? padZeros(position, count, point) : putPoint(position, count, point);
  return putExponent(count > 1 ? putPoint(position, count, 1) : position + 1, point - 1);
}

/** Moves the digits behind the point by one byte; there are at most 16. */
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
