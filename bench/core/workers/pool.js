/**
 * What a piscina pool runs.
 * @param {number} value
 */
export default (value) => value + 1;
