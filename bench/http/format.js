const INTEGER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** @param {number} value */
export function count(value) {
  return INTEGER.format(value);
}

/** @param {number} value */
export function ratio(value) {
  return `${value.toFixed(2)} ×`;
}

/** @param {number} value */
export function microseconds(value) {
  return `${value > 0 ? '+' : ''}${Math.round(value)} µs`;
}

/**
 * The median and, of more than one value, lowest to highest.
 * @param {import('./statistics.js').Spread | undefined} values
 * @param {(value: number) => string} [format]
 */
export function withRange(values, format = count) {
  if (!values) return '–';
  const { median, min, max } = values;
  return min === max ? format(median) : `${format(median)} (${format(min)}–${format(max)})`;
}
