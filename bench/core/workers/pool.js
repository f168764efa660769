/**
 * Task of a piscina pool.
 * @param {number} value
 */
export default (value) => value + 1;
