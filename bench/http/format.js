const INTEGER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const THREE_DIGITS = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

/** @param {number} value */
export function count(value) {
  return INTEGER.format(value);
}

/** @param {number} us */
export function milliseconds(us) {
  return THREE_DIGITS.format(us / 1000);
}

/** @param {number} value */
export function ratio(value) {
  return value.toFixed(2);
}

/** @param {number} value */
export function signed(value) {
  return `${value > 0 ? '+' : ''}${count(value)}`;
}

/**
 * Formats the median and, for several values, the lowest and highest.
 * @param {import('./statistics.js').Spread | undefined} values
 * @param {(value: number) => string} format
 * @param {string} [unit]
 */
export function withRange(values, format, unit = '') {
  if (!values) return '–';
  const { median, min, max } = values;
  // A range with a dash next to a minus sign would be hard to read.
  const to = min < 0 ? ' to ' : '–';
  return min === max ? `${format(median)}${unit}` : `${format(median)}${unit} (${format(min)}${to}${format(max)})`;
}
