import { TOKEN, trim, trimEnd } from '../../options/field-syntax.js';
import type { Reason } from '../answers.js';

/** Bytes of framing allowed for each byte of the body: chunks of one byte have five. */
const FRAMING_PER_BODY_BYTE = 8;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;
const FILLER = 'x'.charCodeAt(0);

/** What the next byte may belong to; the names are those of the grammar (RFC 9112 sections 7.1 and 7.1.1). */
enum State {
  Closed,
  FirstDigit,
  Digits,
  /** After white space that only an extension may follow. */
  BeforeSemicolon,
  BeforeName,
  Name,
  /** After white space that follows a name. */
  AfterName,
  BeforeValue,
  Value,
  Quoted,
  QuotedPair,
  AfterQuoted,
  SizeEnd,
  Data,
  DataReturn,
  DataEnd,
  /** At the start of a line of the trailer section. */
  TrailerLine,
  TrailerField,
  LastEnd,
}

const TOKEN_BYTES = new Uint8Array(256);
for (let byte = 0; byte < 128; byte++) if (TOKEN.test(String.fromCharCode(byte))) TOKEN_BYTES[byte] = 1;

/**
 * Reads the framing of a chunked body before llhttp, byte by byte, so that the result does not depend on how the body is split:
 *
 * - A chunk that is larger than the rest of the limit is rejected once its size is known, not once its data have arrived.
 * - Sizes, extensions and trailers are limited together, although only trailers are kept: a client could send them forever.
 * - Extensions follow the grammar. llhttp accepts empty ones and rejects the white space that recipients must accept, so extensions are
 *   overwritten, in place, with one that it accepts.
 *
 * HTTP thread only.
 */
export class ChunkedBody {
  #end = 0;
  #state = State.Closed;
  /** Of the current chunk: its size, then the number of data bytes that are missing. */
  #left = 0;
  #bodyBytes = 0;
  #framingBytes = 0;
  #limitBytes = 0;
  #framingLimitBytes = 0;
  /** The lines of the trailer section so far. */
  #trailers = '';

  /** Whether more of the body is expected. */
  get isOpen(): boolean {
    return this.#state !== State.Closed;
  }

  /**
   * Starts a body after the end of a head with chunked coding.
   * @param limitBytes of the body; may be infinite
   * @param framingLimitBytes of the framing, in addition to 8 bytes for each byte of data
   */
  begin(limitBytes: number, framingLimitBytes: number): void {
    this.#state = State.FirstDigit;
    this.#left = 0;
    this.#bodyBytes = 0;
    this.#framingBytes = 0;
    this.#trailers = '';
    this.#limitBytes = limitBytes;
    this.#framingLimitBytes = framingLimitBytes;
  }

  /** Address after the last byte of a body whose end was read since the last call, or 0. */
  takeEnd(): number {
    const end = this.#end;
    this.#end = 0;
    return end;
  }

  /** Names and values of the trailer fields of a complete body, one after the other. */
  takeTrailers(): string[] {
    if (this.#trailers === '') return [];
    const lines = this.#trailers.split('\n');
    this.#trailers = '';
    return lines.slice(0, -1).flatMap((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), trim(trimEnd(line.slice(colon + 1, -1)))];
    });
  }

  /**
   * Reads the bytes from `from` up to `end`, or to the end of the body if that comes first, before llhttp does.
   * @returns why the body is rejected
   */
  scan(bytes: Buffer, from: number, end: number): Reason | undefined {
    for (let at = from; at < end; ) {
      if (this.#state === State.Data) {
        const taken = Math.min(this.#left, end - at);
        this.#left -= taken;
        this.#bodyBytes += taken;
        at += taken;
        if (this.#left === 0) this.#state = State.DataReturn;
        continue;
      }
      const allowed = this.#framingLimitBytes + this.#bodyBytes * FRAMING_PER_BODY_BYTE;
      if (++this.#framingBytes > allowed) return 'BODY_TOO_LARGE';
      const before = this.#state;
      const reason = this.#step(bytes[at]);
      if (reason !== undefined) return reason;
      if (isExtension(this.#state)) bytes[at] = isExtension(before) ? FILLER : SEMICOLON;
      at++;
      if (!this.isOpen) {
        this.#end = at;
        return undefined;
      }
    }
    return undefined;
  }

  #step(byte: number): Reason | undefined {
    switch (this.#state) {
      case State.FirstDigit:
      case State.Digits:
        return this.#stepSize(byte);
      case State.SizeEnd:
        if (byte !== LINE_FEED) return 'BAD_REQUEST';
        this.#state = this.#left === 0 ? State.TrailerLine : State.Data;
        return undefined;
      case State.DataReturn:
        return this.#expect(byte, CARRIAGE_RETURN, State.DataEnd);
      case State.DataEnd:
        return this.#expect(byte, LINE_FEED, State.FirstDigit);
      case State.TrailerLine:
        this.#state = byte === CARRIAGE_RETURN ? State.LastEnd : State.TrailerField;
        if (this.#state === State.TrailerField) this.#trailers += String.fromCharCode(byte);
        return undefined;
      case State.TrailerField:
        // llhttp checks the content of fields.
        this.#trailers += String.fromCharCode(byte);
        if (byte === LINE_FEED) this.#state = State.TrailerLine;
        return undefined;
      case State.LastEnd:
        return this.#expect(byte, LINE_FEED, State.Closed);
      default:
        return this.#stepExtension(byte);
    }
  }

  #expect(byte: number, expected: number, next: State): Reason | undefined {
    if (byte !== expected) return 'BAD_REQUEST';
    this.#state = next;
    return undefined;
  }

  #stepSize(byte: number): Reason | undefined {
    const digit = digitOf(byte);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      this.#state = State.Digits;
      return this.#left > Number.MAX_SAFE_INTEGER ? 'BAD_REQUEST' : undefined;
    }
    if (this.#state === State.FirstDigit) return 'BAD_REQUEST';
    if (this.#bodyBytes + this.#left > this.#limitBytes) return 'BODY_TOO_LARGE';
    return this.#stepOn(byte, State.BeforeSemicolon);
  }

  #stepExtension(byte: number): Reason | undefined {
    const isSpace = byte === SPACE || byte === TAB;
    const isToken = TOKEN_BYTES[byte] === 1;
    switch (this.#state) {
      case State.BeforeSemicolon:
        return isSpace ? undefined : this.#expect(byte, SEMICOLON, State.BeforeName);
      case State.BeforeName:
        if (isToken) this.#state = State.Name;
        return isToken || isSpace ? undefined : 'BAD_REQUEST';
      case State.Name:
        if (isToken) return undefined;
        if (byte === EQUALS) return this.#expect(byte, EQUALS, State.BeforeValue);
        return this.#stepOn(byte, State.AfterName);
      case State.AfterName:
        if (isSpace) return undefined;
        if (byte === EQUALS) return this.#expect(byte, EQUALS, State.BeforeValue);
        return this.#expect(byte, SEMICOLON, State.BeforeName);
      case State.BeforeValue:
        if (isToken) this.#state = State.Value;
        else if (byte === QUOTE) this.#state = State.Quoted;
        return isToken || isSpace || byte === QUOTE ? undefined : 'BAD_REQUEST';
      case State.Value:
        return isToken ? undefined : this.#stepOn(byte, State.BeforeSemicolon);
      case State.Quoted:
        if (byte === QUOTE) this.#state = State.AfterQuoted;
        else if (byte === BACKSLASH) this.#state = State.QuotedPair;
        return isText(byte) ? undefined : 'BAD_REQUEST';
      case State.QuotedPair:
        this.#state = State.Quoted;
        return isText(byte) ? undefined : 'BAD_REQUEST';
      default:
        return this.#stepOn(byte, State.BeforeSemicolon);
    }
  }

  /**
   * Handles what may follow a size, a name or a value: the end of the line, another extension, or white space.
   * @param spaced the state after white space
   */
  #stepOn(byte: number, spaced: State): Reason | undefined {
    if (byte === CARRIAGE_RETURN) this.#state = State.SizeEnd;
    else if (byte === SEMICOLON) this.#state = State.BeforeName;
    else if (byte === SPACE || byte === TAB) this.#state = spaced;
    else return 'BAD_REQUEST';
    return undefined;
  }
}

function isExtension(state: State): boolean {
  return state >= State.BeforeSemicolon && state <= State.AfterQuoted;
}

/** The value of a hexadecimal digit, or -1. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

/** Whether the byte is allowed in a quoted string, quotes and backslashes included (RFC 9110 section 5.6.4). */
function isText(byte: number): boolean {
  return byte === TAB || (byte >= SPACE && byte !== DELETE);
}
