import { formatTag, matches } from '../../app/entity-tags.js';
import type { ShardResponse } from '../../app/handler.js';
import { LoopShardError } from '../../errors.js';
import type { JsonWriter } from '../../json/direct.js';
import type { CompressRules } from '../../options/compression.js';
import { NOT_IN_VALUE, TOKEN } from '../../options/field-syntax.js';
import type { SlotRequest } from '../request/request.js';

/** Fields that describe the message as it is sent, which only the server knows. */
const SERVER_FIELDS = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'date', 'upgrade']);
/** Fields of a body that is not sent. */
const BODY_FIELDS = new Set([
  'content-encoding',
  'content-language',
  'content-range',
  'content-disposition',
  'last-modified',
]);
/** Templates of response heads must have room for it. */
const MAX_TYPE_LENGTH = 1_024;

/** Status, header fields and JSON writer, until the handler settles. */
export class SlotResponse implements ShardResponse {
  statusCode = 0;
  contentType: string | undefined;
  /** What `writer()` has given out. */
  jsonWriter: JsonWriter | undefined;
  /** What the handler returned is being written: its getters are not to write a response too. */
  hasValue = false;
  /** The head of a stream is made: nothing of it can be changed. */
  isSealed = false;
  /** The body is sent by the chunked coding (RFC 9112 section 7.1). */
  isChunked = false;
  /** The request was answered. */
  #finished = false;
  /** By which it is compressed. */
  compress: CompressRules | undefined;
  /** What `etag()` has set; no value for one that is computed. */
  tag: { value: string | undefined; isWeak: boolean } | undefined;
  /** The fields that the body decides on are set. */
  isDescribed = false;
  readonly #request: SlotRequest;
  readonly #openWriter: (response: SlotResponse) => JsonWriter;
  #fields: [name: string, value: string][] | undefined;

  /** @param openWriter makes a JSON writer behind the room that the head as set by now will need */
  constructor(
    request: SlotRequest,
    compress: CompressRules | undefined,
    openWriter: (response: SlotResponse) => JsonWriter,
  ) {
    this.#request = request;
    this.compress = compress;
    this.#openWriter = openWriter;
  }

  writer(): JsonWriter {
    this.#checkUnfinished();
    if (this.hasValue) throw writtenAlready();
    this.jsonWriter ??= this.#openWriter(this);
    return this.jsonWriter;
  }

  status(code: number): this {
    this.#checkOpen();
    if (!Number.isInteger(code) || code < 200 || code > 599) {
      throw new LoopShardError('STATUS_INVALID', `A response status is an integer from 200 to 599, not ${code}.`);
    }
    this.statusCode = code;
    return this;
  }

  header(name: string, value: string | number | readonly string[]): this {
    this.#checkOpen();
    if (typeof name !== 'string' || !TOKEN.test(name)) {
      throw new LoopShardError('HEADER_INVALID', `${JSON.stringify(name)} cannot be the name of a header field.`);
    }
    const key = name.toLowerCase();
    if (SERVER_FIELDS.has(key)) {
      throw new LoopShardError('HEADER_INVALID', `The field ${key} is set by the server; leave it out.`);
    }
    if (key === 'content-type') return this.type(String(value));
    const values =
      typeof value === 'object' && value !== null ? value : [typeof value === 'number' ? String(value) : value];
    for (const one of values) checkValue(key, one);
    this.#set(key, values);
    return this;
  }

  type(mime: string): this {
    this.#checkOpen();
    checkValue('content-type', mime);
    if (mime.length > MAX_TYPE_LENGTH) {
      throw new LoopShardError(
        'HEADER_INVALID',
        `The content type has ${mime.length} characters; at most ${MAX_TYPE_LENGTH} are allowed.`,
      );
    }
    this.contentType = mime;
    return this;
  }

  etag(value?: string, { weak = false }: { weak?: boolean } = {}): this {
    this.#checkOpen();
    this.tag = { value: value === undefined ? undefined : formatTag(value, weak), isWeak: weak };
    return this;
  }

  /** Only what would be a 200 can be one (RFC 9110 section 13.2.1). */
  get fresh(): boolean {
    if (this.tag === undefined || (this.statusCode || 200) !== 200) return false;
    const tag = this.field('etag') ?? this.tag.value;
    const { method } = this.#request;
    const mayBe = tag !== undefined && (method === 'GET' || method === 'HEAD');
    return mayBe && matches(this.#request.header('if-none-match'), tag);
  }

  /** What a field was set to; the last one of several. */
  field(name: string): string | undefined {
    return this.#fields?.findLast((field) => field[0] === name)?.[1];
  }

  /** A 304 describes no representation that it does not carry (RFC 9110 section 15.4.5). */
  leaveOutBody(): void {
    this.contentType = undefined;
    this.#fields = this.#fields?.filter(([name]) => !BODY_FIELDS.has(name));
  }

  /** Sets a field whose name and value are known to be valid. */
  set(name: string, value: string): void {
    this.#set(name, [value]);
  }

  /** Several values are several fields, in the place of those that were set before; cookies are added. */
  #set(name: string, values: readonly string[]): void {
    this.#fields ??= [];
    if (name !== 'set-cookie' && this.field(name) !== undefined) {
      this.#fields = this.#fields.filter((field) => field[0] !== name);
    }
    for (const value of values) this.#fields.push([name, value]);
  }

  /** The request was answered: nothing that its handler still does has an effect. */
  finish(): void {
    this.#finished = true;
    this.jsonWriter?.abandon();
  }

  #checkUnfinished(): void {
    if (!this.#finished) return;
    throw new LoopShardError('REQUEST_FINISHED', 'The request was answered already: its response cannot be changed.');
  }

  /** Back to the start, for an answer in the place of this one. */
  reset(statusCode: number): void {
    this.statusCode = statusCode;
    this.contentType = undefined;
    this.#fields = undefined;
    this.hasValue = false;
    this.isSealed = false;
    this.isChunked = false;
    this.tag = undefined;
    this.isDescribed = false;
    this.jsonWriter?.abandon();
    this.jsonWriter = undefined;
  }

  #checkOpen(): void {
    this.#checkUnfinished();
    if (this.isSealed) {
      throw new LoopShardError(
        'HEADER_INVALID',
        'The head of the response is sent; set status and header fields before the stream yields its first chunk.',
      );
    }
    if (this.jsonWriter === undefined) return;
    throw new LoopShardError(
      'HEADER_INVALID',
      'The body is being written already; set status and header fields before the first res.writer().',
    );
  }

  /** The fields but the content type, as they are sent: whole lines, Latin-1. */
  lines(): string {
    if (this.#fields === undefined) return '';
    let lines = '';
    for (const [name, value] of this.#fields) lines += `${name}: ${value}\r\n`;
    return lines;
  }
}

function checkValue(name: string, value: string): void {
  if (typeof value !== 'string') {
    throw new LoopShardError('HEADER_INVALID', `The value of ${name} is a ${typeof value}; pass a string.`);
  }
  if (NOT_IN_VALUE.test(value)) {
    throw new LoopShardError(
      'HEADER_INVALID',
      `The value of ${name} has a line end, NUL or another character that a header field cannot carry.`,
    );
  }
}

function writtenAlready(): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    'Cannot open `res.writer()`: the response is being written already. Do not use it in getters, `toJSON` or streams.',
  );
}
