import type { Reason } from '../answers.js';
import { HTTP2_PREFACE, INVALID_CONSTANT, INVALID_METHOD, INVALID_VERSION, type Llhttp } from './llhttp.js';

/** llhttp's text for a well-formed version that it does not know. */
const UNKNOWN_VERSION = 'Invalid HTTP version';
/** Request lines that are valid except for an unknown method (RFC 9110 section 9.1). */
const OTHER_METHOD = /^[\w!#$%&'*+.^`|~-]+ [!-~]+ HTTP\/1\.[01]$/;
const LINE_FEED = 0x0a;

/**
 * Determines why llhttp has rejected the bytes from `start` to `end`.
 * @param result return value of `execute`
 */
export function refusalOf(llhttp: Llhttp, parser: number, result: number, start: number, end: number): Reason {
  if (result === INVALID_VERSION) {
    return llhttp.reason(parser) === UNKNOWN_VERSION ? 'VERSION_NOT_SUPPORTED' : 'BAD_REQUEST';
  }
  if (result === HTTP2_PREFACE) return 'VERSION_NOT_SUPPORTED';
  if (result !== INVALID_METHOD && result !== INVALID_CONSTANT) return 'BAD_REQUEST';
  const line = lineAround(llhttp, llhttp.position(parser), start, end);
  return OTHER_METHOD.test(line) ? 'METHOD_NOT_IMPLEMENTED' : 'BAD_REQUEST';
}

function lineAround({ bytes }: Llhttp, position: number, start: number, end: number): string {
  let from = position;
  while (from > start && bytes[from - 1] !== LINE_FEED) from--;
  const to = bytes.indexOf('\r\n', position);
  return bytes.latin1Slice(from, to < 0 || to > end ? end : to);
}
