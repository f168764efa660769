import type { Reason } from './answers.js';
import type { HeadIndex } from './head-index.js';
import { isHost } from './host.js';

const LETTER_E = 0x65;
const LETTER_H = 0x48;
const LOWER_CASE = 0x20;
const HOST = Buffer.from('host');
const EXPECT_BYTES = 'expect'.length;
const CONNECTION_BYTES = 'connection'.length;
const CONTENT_LENGTH_BYTES = 'content-length'.length;
const TRANSFER_ENCODING_BYTES = 'transfer-encoding'.length;
/** A list of transfer codings, without parameters, that ends with chunked. */
const ENDS_CHUNKED = /^(?:[\w!#$%&'*+.^`|~-]+[\t ]*,[\t ]*)+chunked$/i;

/**
 * What the RFCs demand of a request head and llhttp does not. Every head passes through here, so what every head has is
 * looked at as bytes, and only what is rare as text. HTTP thread only.
 */
export class HeadRules {
  /** Of the head that was checked last: the body's length if it is said. */
  contentLength = 0;
  /** The body comes in chunks. */
  isChunked = false;
  /** The client waits for leave to send its body. */
  expectsContinue = false;
  readonly #index: HeadIndex;
  #source: Buffer = Buffer.alloc(0);
  #start = 0;
  /** The Host that was found valid last; most requests of a server have the same. */
  #knownHost: Uint8Array = new Uint8Array(0);

  constructor(index: HeadIndex) {
    this.#index = index;
  }

  /**
   * @param source what holds the head, from `start` on
   * @param version 10 for HTTP/1.0, 11 for HTTP/1.1
   * @returns why it is refused
   */
  check(source: Buffer, start: number, version: number): Reason | undefined {
    const index = this.#index;
    this.#source = source;
    this.#start = start;
    this.contentLength = 0;
    this.isChunked = false;
    this.expectsContinue = false;
    // One space in front of HTTP (RFC 9112 section 3); llhttp knows RTSP as well, and requests without a version.
    if (source[start + index.targetBytes + 1] !== LETTER_H) return 'BAD_REQUEST';
    if (version !== 11 && version !== 10) return 'VERSION_NOT_SUPPORTED';
    let host = -1;
    let hasMore = version === 10;
    for (let field = 0, count = index.fieldCount; field < count; field++) {
      const bytes = index.nameBytes(field);
      if (bytes === HOST.length) {
        if (!this.#isNamedHost(field)) continue;
        // RFC 9112 section 3.2.
        if (host >= 0) return 'BAD_HOST';
        host = field;
      } else if (bytes === EXPECT_BYTES) {
        hasMore ||= (source[start + index.nameOffset(field)] | LOWER_CASE) === LETTER_E;
      } else if (bytes === CONTENT_LENGTH_BYTES || bytes === TRANSFER_ENCODING_BYTES) hasMore = true;
    }
    if (host < 0 ? version === 11 : !this.#hasValidHost(host)) return 'BAD_HOST';
    return hasMore ? this.#checkMore(version) : undefined;
  }

  #isNamedHost(field: number): boolean {
    const at = this.#start + this.#index.nameOffset(field);
    for (let i = 0; i < HOST.length; i++) if ((this.#source[at + i] | LOWER_CASE) !== HOST[i]) return false;
    return true;
  }

  #hasValidHost(field: number): boolean {
    const known = this.#knownHost;
    const start = this.#start + this.#index.valueOffset(field);
    const bytes = this.#index.valueBytes(field);
    let same = bytes === known.length;
    for (let i = 0; same && i < bytes; i++) same = this.#source[start + i] === known[i];
    if (same) return true;
    if (!isHost(this.#value(field))) return false;
    this.#knownHost = Uint8Array.from(this.#source.subarray(start, start + bytes));
    return true;
  }

  /** Fields that say how the message ends and what the client expects. */
  #checkMore(version: number): Reason | undefined {
    let codings: string | undefined;
    let expectations: string | undefined;
    let options: string | undefined;
    for (let field = 0; field < this.#index.fieldCount; field++) {
      const name = this.#rareName(field);
      if (name === 'content-length') this.contentLength = Number(this.#value(field));
      else if (name === 'transfer-encoding') codings = join(codings, this.#value(field));
      else if (name === 'expect') expectations = join(expectations, this.#value(field));
      else if (name === 'connection') options = join(options, this.#value(field));
    }
    if (version === 10) {
      // RFC 9112 section 9.3; llhttp keeps the connection for "keep-alive, close".
      const persists = hasMember(options, 'keep-alive') && !hasMember(options, 'close');
      this.#index.keepAlive = persists;
      // RFC 9112 section 6.1: framing of HTTP/1.0 with a transfer coding is faulty.
      return codings === undefined ? undefined : 'BAD_REQUEST';
    }
    return this.#checkCodings(codings) ?? this.#checkExpectations(expectations);
  }

  /** RFC 9112 section 6.1: chunked alone, since other codings are not implemented. */
  #checkCodings(codings: string | undefined): Reason | undefined {
    if (codings === undefined) return undefined;
    this.isChunked = codings.toLowerCase() === 'chunked';
    if (this.isChunked) return undefined;
    // Not at the end, the body has no end that could be relied on (RFC 9112 section 6.3, rule 4).
    return ENDS_CHUNKED.test(codings) ? 'CODING_NOT_IMPLEMENTED' : 'BAD_REQUEST';
  }

  /** RFC 9110 section 10.1.1. */
  #checkExpectations(expectations: string | undefined): Reason | undefined {
    for (const member of members(expectations)) {
      if (member !== '100-continue') return 'EXPECTATION_FAILED';
      this.expectsContinue = this.isChunked || this.contentLength > 0;
    }
    return undefined;
  }

  /** The name, in lower case, of a field that may be one of the rare ones. */
  #rareName(field: number): string {
    const bytes = this.#index.nameBytes(field);
    const mayBeRare =
      bytes === EXPECT_BYTES ||
      bytes === CONNECTION_BYTES ||
      bytes === CONTENT_LENGTH_BYTES ||
      bytes === TRANSFER_ENCODING_BYTES;
    if (!mayBeRare) return '';
    const start = this.#start + this.#index.nameOffset(field);
    return this.#source.latin1Slice(start, start + bytes).toLowerCase();
  }

  #value(field: number): string {
    const start = this.#start + this.#index.valueOffset(field);
    // llhttp leaves white space at the end, which is no part of the value (RFC 9112 section 5.1).
    return this.#source.latin1Slice(start, start + this.#index.valueBytes(field)).trimEnd();
  }
}

/** Several fields of a name are one list (RFC 9110 section 5.3). */
function join(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list},${value}`;
}

function members(list = ''): string[] {
  return list
    .toLowerCase()
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

function hasMember(list: string | undefined, wanted: string): boolean {
  return members(list).includes(wanted);
}
