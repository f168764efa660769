/**
 * A request that tests a rule of HTTP/1.1, and the expected result.
 *
 * @typedef {object} Case
 * @property {string} section the RFC and the section that contain the rule
 * @property {string} rule what the client sends, or what the rule says, in a few words
 * @property {string} input the bytes that the client sends, as latin1
 * @property {number[]} answers the statuses of the responses in order, interim ones included
 * @property {boolean} closes whether the server closes the connection after the responses
 * @property {string} [body] the body of the last response
 * @property {boolean} [ends] whether the client ends its side after the input
 */

/** A Host field for requests that test other rules. */
export const HOST = 'Host: x\r\n';

/**
 * A case whose requests get responses, after which the connection stays open.
 * @param {string} section
 * @param {string} rule
 * @param {string} input
 * @param {string} [body] of the last response
 * @param {number[]} [answers] statuses
 * @returns {Case}
 */
export function taken(section, rule, input, body, answers = [200]) {
  return { section, rule, input, answers, closes: false, ...(body !== undefined && { body }) };
}

/**
 * A case whose requests get this status or these, after which the server closes the connection.
 * @param {string} section
 * @param {string} rule
 * @param {string} input
 * @param {number | number[]} [status]
 * @param {string} [body] of the last response
 * @returns {Case}
 */
export function closed(section, rule, input, status = 400, body) {
  return { section, rule, input, answers: [status].flat(), closes: true, ...(body !== undefined && { body }) };
}

/**
 * A GET request.
 * @param {string} target
 * @param {string} [fields]
 */
export function get(target, fields = '') {
  return `GET ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`;
}

/**
 * A POST request up to its body.
 * @param {string} fields
 * @param {string} body
 * @param {string} [target]
 */
export function post(fields, body, target = '/length') {
  return `POST ${target} HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
}

/**
 * A POST request with a chunked body.
 * @param {string} body with its framing
 * @param {string} [target]
 */
export function chunks(body, target = '/echo') {
  return post('Transfer-Encoding: chunked\r\n', body, target);
}
