import { STATUS_CODES } from 'node:http';
import type { FixedBody } from '../contract/messages.js';

/** Why the HTTP thread responds itself. The code is in the JSON body, for programs. */
export const REASONS = {
  BAD_REQUEST: [400, 'The request is not valid HTTP.'],
  BAD_HOST: [400, 'The request needs exactly one valid `Host` header.'],
  BAD_TARGET: [400, 'The request target is not a valid path.'],
  NOT_FOUND: [404, 'No route matches this path.'],
  METHOD_NOT_ALLOWED: [405, 'This path does not support the request method.'],
  REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  BODY_TOO_LARGE: [413, 'The request body is too large.'],
  TARGET_TOO_LONG: [414, 'The request target is too long.'],
  EXPECTATION_FAILED: [417, 'Unsupported `Expect` header: only `100-continue` is supported.'],
  MISDIRECTED: [421, 'The target is an https URI, but the connection is not secured by TLS.'],
  HEAD_TOO_LARGE: [431, 'The request headers are too large or too many.'],
  METHOD_NOT_IMPLEMENTED: [501, 'The request method is not supported.'],
  CODING_NOT_IMPLEMENTED: [501, 'Unsupported transfer coding: only `chunked` is supported.'],
  SHARD_LOST: [502, 'The thread that handled the request has ended.'],
  NO_SLOT: [503, 'The server is handling as many requests as it can. Try again later.'],
  NO_SHARD: [503, 'No thread can take the request now. Try again later.'],
  QUEUE_FULL: [503, 'The queue is full. Try again later.'],
  OVERLOADED: [503, 'The server is overloaded: queued requests have waited too long. Try again later.'],
  QUEUE_TIMEOUT: [503, 'The request waited too long in the queue. Try again later.'],
  HANDLER_TIMEOUT: [504, 'The handler took too long.'],
  VERSION_NOT_SUPPORTED: [505, 'Unsupported HTTP version: expected 1.1 or 1.0.'],
} as const satisfies Record<string, readonly [number, string]>;

/** Size of the empty line at the end of a head. */
const EMPTY_LINE_BYTES = 2;

export type Reason = keyof typeof REASONS;

/** A complete response, and the size of its head. */
export interface Answer {
  bytes: Buffer;
  headBytes: number;
}

/** The response to OPTIONS for a path without an OPTIONS handler. */
export function allowAnswer(allow: string, keepAliveLines: string): Answer {
  return compose(204, [`allow: ${allow}`], keepAliveLines, EMPTY);
}

/** The response for a body that never changes, with the current date in its head. */
export function fixedAnswer(
  statusCode: number,
  { type, bytes }: FixedBody,
  fields: readonly string[],
  keepAliveLines: string,
): Answer {
  return compose(
    statusCode,
    [`content-type: ${type}`, `content-length: ${bytes.length}`, ...fields],
    keepAliveLines,
    bytes,
  );
}

/**
 * Composes a response.
 * @param fields lines without their line ends
 * @param keepAliveLines say how long the connection may be idle; empty if the connection is closed
 */
export function compose(
  statusCode: number,
  fields: readonly string[],
  keepAliveLines: string,
  body: Uint8Array,
): Answer {
  const lines = [`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`, `date: ${new Date().toUTCString()}`, ...fields];
  const head = Buffer.from(`${lines.join('\r\n')}\r\n${keepAliveLines}\r\n`, 'latin1');
  return { bytes: body.length === 0 ? head : Buffer.concat([head, body]), headBytes: head.length };
}

/**
 * A copy with more header fields.
 * @param lines without their line ends
 */
export function withLines({ bytes, headBytes }: Answer, lines: readonly string[]): Answer {
  const end = headBytes - EMPTY_LINE_BYTES;
  const added = Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
  return {
    bytes: Buffer.concat([bytes.subarray(0, end), added, bytes.subarray(end)]),
    headBytes: headBytes + added.length,
  };
}

/** The response for a client that already has the body with that entity tag (RFC 9110 section 15.4.5). */
export function notModifiedAnswer(etag: string, keepAliveLines: string): Answer {
  return compose(304, [`etag: ${etag}`], keepAliveLines, EMPTY);
}

export const EMPTY = Buffer.alloc(0);

const MS_PER_S = 1_000;

/** Reuses a response within the same second, because its date changes only every second. */
export function oncePerSecond(make: () => Answer): () => Answer {
  let second = 0;
  let answer: Answer | undefined;
  return () => {
    const now = Math.floor(Date.now() / MS_PER_S);
    if (answer === undefined || now !== second) {
      second = now;
      answer = make();
    }
    return answer;
  };
}
