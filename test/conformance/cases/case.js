/**
 * A rule of HTTP/1.1 and what follows from it.
 *
 * @typedef {object} Case
 * @property {string} section where the rule stands: an RFC and a section
 * @property {string} rule what is tried, in a few words
 * @property {string} input what the client sends, a character a byte
 * @property {number[]} answers status of each answer, in order
 * @property {boolean} closes the server ends the connection behind them
 * @property {string} [body] of the last answer
 * @property {boolean} [ends] the client ends its side after the input
 * @property {boolean} [leads] the first answer is interim: `answers` has it as well
 */

/** A Host field, for requests that are about something else. */
export const HOST = 'Host: x\r\n';

/**
 * What is answered, and the connection goes on.
 * @param {string} section
 * @param {string} rule
 * @param {string} input
 * @param {string} [body] of the last answer
 * @param {number[]} [answers]
 * @returns {Case}
 */
export function taken(section, rule, input, body, answers = [200]) {
  return { section, rule, input, answers, closes: false, ...(body !== undefined && { body }) };
}

/**
 * What is answered with `status` or with several, and the connection ends.
 * @param {string} section
 * @param {string} rule
 * @param {string} input
 * @param {number | number[]} [status]
 * @param {string} [body] of the last answer
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
 * A POST request with a body in chunks.
 * @param {string} body as it goes over the wire
 * @param {string} [target]
 */
export function chunks(body, target = '/echo') {
  return post('Transfer-Encoding: chunked\r\n', body, target);
}
