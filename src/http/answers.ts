import { STATUS_CODES } from 'node:http';
import type { FixedBody } from '../contract/messages.js';

/** Why the HTTP thread answers by itself. The code is in the JSON body, for programs. */
const REASONS = {
  BAD_REQUEST: [400, 'The request is not valid HTTP.'],
  BAD_HOST: [400, 'The request needs one Host field, with a host and perhaps a port.'],
  BAD_TARGET: [400, 'The request target is not a valid path.'],
  NOT_FOUND: [404, 'There is no such path.'],
  METHOD_NOT_ALLOWED: [405, 'The path does not take this method.'],
  REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  BODY_TOO_LARGE: [413, 'The request body is larger than the server takes.'],
  TARGET_TOO_LONG: [414, 'The request target is longer than the server takes.'],
  EXPECTATION_FAILED: [417, 'The server meets no expectation but 100-continue.'],
  MISDIRECTED: [421, 'The target is an https URI, and the connection is not secured by TLS.'],
  HEAD_TOO_LARGE: [431, 'The header fields are larger or more than the server takes.'],
  METHOD_NOT_IMPLEMENTED: [501, 'The server does not know this method.'],
  CODING_NOT_IMPLEMENTED: [501, 'The server knows no transfer coding but chunked.'],
  SHARD_LOST: [502, 'The thread that handled the request has ended.'],
  NO_SLOT: [503, 'The server has as many requests in hand as it can take; try again later.'],
  NO_SHARD: [503, 'No thread can take the request now; try again later.'],
  QUEUE_FULL: [503, 'More requests wait than the server lets wait; try again later.'],
  OVERLOADED: [503, 'Requests wait for too long as it is; try again later.'],
  QUEUE_TIMEOUT: [503, 'The request has waited for too long; try again later.'],
  HANDLER_TIMEOUT: [504, 'The handler of the request took too long.'],
  VERSION_NOT_SUPPORTED: [505, 'The server speaks HTTP/1.1 and HTTP/1.0.'],
} as const satisfies Record<string, readonly [number, string]>;

export type Reason = keyof typeof REASONS;

/** A whole response, and how many bytes of it are the head. */
export interface Answer {
  bytes: Buffer;
  headBytes: number;
}

export interface AnswerOptions {
  /** The request was HEAD: no body. */
  isHead?: boolean;
  /** Lines that say how long the connection may be idle; none for one that closes. */
  keepAliveLines?: string;
  /** Value of the Allow field. */
  allow?: string;
  /** In place of the reason's own. */
  status?: number;
  /** Value of Retry-After behind a 503 or 429. Default 1. */
  retryAfterSeconds?: number;
}

/** A response with a JSON body that says why. */
export function errorAnswer(reason: Reason, options: AnswerOptions = {}): Answer {
  const [standard, message] = REASONS[reason];
  const { status: statusCode = standard, retryAfterSeconds = 1 } = options;
  const body = JSON.stringify({ statusCode, code: reason, message });
  const fields = ['content-type: application/json', `content-length: ${body.length}`];
  if (statusCode === 503 || statusCode === 429) fields.push(`retry-after: ${retryAfterSeconds}`);
  return compose(statusCode, fields, options, body);
}

/** The answer to OPTIONS for a path without an OPTIONS handler. */
export function allowAnswer(allow: string, keepAliveLines: string): Answer {
  return compose(204, [], { allow, keepAliveLines }, '');
}

/** A body that is always the same, behind a head with the date of now. */
export function fixedAnswer(
  statusCode: number,
  { type, bytes }: FixedBody,
  fields: readonly string[],
  keepAliveLines: string,
): Answer {
  const { bytes: head } = compose(
    statusCode,
    [`content-type: ${type}`, `content-length: ${bytes.length}`, ...fields],
    { keepAliveLines },
    '',
  );
  return { bytes: Buffer.concat([head, bytes]), headBytes: head.length };
}

function compose(statusCode: number, fields: string[], options: AnswerOptions, body: string): Answer {
  const lines = [`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`, `date: ${new Date().toUTCString()}`, ...fields];
  if (options.allow !== undefined) lines.push(`allow: ${options.allow}`);
  const head = `${lines.join('\r\n')}\r\n${options.keepAliveLines ?? ''}\r\n`;
  return { bytes: Buffer.from(options.isHead === true ? head : head + body, 'latin1'), headBytes: head.length };
}

/** The client has the body of that entity tag already (RFC 9110 section 15.4.5). */
export function notModifiedAnswer(etag: string, keepAliveLines: string): Answer {
  return compose(304, [`etag: ${etag}`], { keepAliveLines }, '');
}

const MS_PER_S = 1_000;

/** The date in an answer is right to the second; within one, the same bytes serve. */
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
