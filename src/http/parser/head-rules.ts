import { HEAD_BODY_FLAG, HEAD_HOST_MASK, HEAD_HOSTS_FLAG } from '../../../assembly/layout.js';
import { trim, trimEnd } from '../../options/field-syntax.js';
import type { Reason } from '../answers.js';
import type { HeadIndex } from './head-index.js';
import { isHost } from './host.js';

/** Positions of the two digits in HTTP/1.1. */
const MAJOR_OFFSET = 5;
const MINOR_OFFSET = 7;
const ONE = 0x31;
const LETTER_H = 0x48;
const LOWER_CASE = 0x20;
const LETTER_O = 0x6f;
const LETTER_S = 0x73;
const LETTER_T = 0x74;
const HOST_BYTES = 'host'.length;
const NO_HOST = -1;
const SEVERAL_HOSTS = -2;
const EXPECT_BYTES = 'expect'.length;
const CONNECTION_BYTES = 'connection'.length;
const CONTENT_LENGTH_BYTES = 'content-length'.length;
const TRANSFER_ENCODING_BYTES = 'transfer-encoding'.length;
/** A list of transfer codings, without parameters, that ends with chunked. */
const ENDS_CHUNKED = /^(?:[\w!#$%&'*+.^`|~-]+[\t ]*,[\t ]*)+chunked$/i;

/**
 * Checks what the RFCs require of a request head and llhttp does not. Every head is checked, so common parts are checked as bytes, and only
 * rare ones as text. HTTP thread only.
 */
export class HeadRules {
  /** Whether the version of the last checked head is HTTP/1.0, not 1.1. */
  isHttp10 = false;
  /** The length of the body, if given. */
  contentLength = 0;
  /** Whether the body is chunked. */
  isChunked = false;
  /** Whether the client waits for `100 Continue` before it sends its body. */
  expectsContinue = false;
  readonly #index: HeadIndex;
  #source: Buffer = Buffer.alloc(0);
  #start = 0;
  /** The last valid Host; most requests of a server have the same. */
  #knownHost: Uint8Array = new Uint8Array(0);

  constructor(index: HeadIndex) {
    this.#index = index;
  }

  /**
   * @param source contains the head, from `start` on
   * @param found the return value of headComplete
   * @returns why it is rejected
   */
  check(source: Buffer, start: number, found: number): Reason | undefined {
    this.#source = source;
    this.#start = start;
    this.contentLength = 0;
    this.isChunked = false;
    this.expectsContinue = false;
    // One space before HTTP (RFC 9112 section 3); llhttp also accepts RTSP, and requests without a version.
    const at = start + this.#index.targetBytes + 1;
    if (source[at] !== LETTER_H) return 'BAD_REQUEST';
    const minor = source[at + MINOR_OFFSET];
    if (source[at + MAJOR_OFFSET] !== ONE || minor > ONE) return 'VERSION_NOT_SUPPORTED';
    this.isHttp10 = minor !== ONE;
    let host = (found & HEAD_HOST_MASK) - 1;
    if (host >= 0 && ((found & HEAD_HOSTS_FLAG) !== 0 || !this.#isNamedHost(host))) host = this.#findHost(host);
    // RFC 9112 section 3.2.
    if (host === NO_HOST ? !this.isHttp10 : host === SEVERAL_HOSTS || !this.#hasValidHost(host)) return 'BAD_HOST';
    return (found & HEAD_BODY_FLAG) !== 0 || this.isHttp10 ? this.#checkMore() : undefined;
  }

  /** The number of the only Host field, searched from `from` on; or NO_HOST or SEVERAL_HOSTS. */
  #findHost(from: number): number {
    let host = NO_HOST;
    for (let field = from; field < this.#index.fieldCount; field++) {
      if (this.#index.nameBytes(field) !== HOST_BYTES || !this.#isNamedHost(field)) continue;
      if (host !== NO_HOST) return SEVERAL_HOSTS;
      host = field;
    }
    return host;
  }

  #isNamedHost(field: number): boolean {
    const source = this.#source;
    const at = this.#start + this.#index.nameOffset(field);
    return (
      (source[at] | LOWER_CASE) === LETTER_H + LOWER_CASE &&
      (source[at + 1] | LOWER_CASE) === LETTER_O &&
      (source[at + 2] | LOWER_CASE) === LETTER_S &&
      (source[at + 3] | LOWER_CASE) === LETTER_T
    );
  }

  #hasValidHost(field: number): boolean {
    const start = this.#start + this.#index.valueOffset(field);
    const bytes = this.#index.valueBytes(field);
    if (isSame(this.#source, start, bytes, this.#knownHost)) return true;
    if (!isHost(this.#value(field))) return false;
    this.#knownHost = Uint8Array.from(this.#source.subarray(start, start + bytes));
    return true;
  }

  /** Checks fields that determine the end of the message and the expectations of the client. */
  #checkMore(): Reason | undefined {
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
    if (this.isHttp10) {
      // RFC 9112 section 9.3; llhttp keeps the connection for "keep-alive, close".
      const persists = hasMember(options, 'keep-alive') && !hasMember(options, 'close');
      this.#index.keepAlive = persists;
      // RFC 9112 section 6.1: HTTP/1.0 with a transfer coding has faulty framing.
      return codings === undefined ? undefined : 'BAD_REQUEST';
    }
    return this.#checkCodings(codings) ?? this.#checkExpectations(expectations);
  }

  /** RFC 9112 section 6.1: only chunked is implemented. */
  #checkCodings(codings: string | undefined): Reason | undefined {
    if (codings === undefined) return undefined;
    this.isChunked = codings.toLowerCase() === 'chunked';
    if (this.isChunked) return undefined;
    // If chunked is not the last coding, the end of the body cannot be determined (RFC 9112 section 6.3, rule 4).
    return ENDS_CHUNKED.test(codings) ? 'CODING_NOT_IMPLEMENTED' : 'BAD_REQUEST';
  }

  /** RFC 9110 section 10.1.1. Expectations matter only for requests with a body. */
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
    return trimEnd(this.#source.latin1Slice(start, start + this.#index.valueBytes(field)));
  }
}

function isSame(source: Buffer, start: number, bytes: number, known: Uint8Array): boolean {
  if (bytes !== known.length) return false;
  for (let i = 0; i < bytes; i++) if (source[start + i] !== known[i]) return false;
  return true;
}

/** Joins several fields of the same name into one list (RFC 9110 section 5.3). */
function join(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list},${value}`;
}

function members(list = ''): string[] {
  return list
    .toLowerCase()
    .split(',')
    .map(trim)
    .filter((member) => member !== '');
}

function hasMember(list: string | undefined, wanted: string): boolean {
  return members(list).includes(wanted);
}
