import { LoopShardError } from '../errors.js';
import type { JsonWriter } from '../json/direct.js';
import type { CompressRules } from '../options/compression.js';
import { matches } from './entity-tags.js';
import type { RequestSource } from './request.js';

/** Fields of a body that is not sent. */
const BODY_FIELDS = new Set([
  'content-encoding',
  'content-language',
  'content-range',
  'content-disposition',
  'last-modified',
]);

/** What responses ask of the shard that they are made on. */
export interface ResponseHost {
  /** A JSON writer behind the room that the head as set by now will need. */
  openWriter(request: RequestSource): JsonWriter;
  /** Closes the connection. */
  destroy(request: RequestSource): void;
}

/** What is known of a response until its handler settles: status, header fields, JSON writer. Shard. */
export class ResponseState {
  /** 0 while the body decides. */
  statusCode = 0;
  contentType: string | undefined;
  /** Bytes of a stream, if the handler has said how many there are. */
  contentLength: number | undefined;
  /** What `res.writer()` has given out. */
  jsonWriter: JsonWriter | undefined;
  /** What the handler returned is being written: its getters are not to write a response too. */
  hasValue = false;
  /** What is sent is no value of the route's schema, whatever it is. */
  isPlain = false;
  /** The head of a stream is made: nothing of it can be changed. */
  isSealed = false;
  /** The body is sent by the chunked coding (RFC 9112 section 7.1). */
  isChunked = false;
  /** By which it is compressed. */
  compress: CompressRules | undefined;
  /** What `res.etag()` has set; no value for one that is computed. */
  tag: { value: string | undefined; isWeak: boolean } | undefined;
  /** The fields that the body decides on are set. */
  isDescribed = false;
  /** Fields that no handler sees and no error takes back: whole lines, Latin-1. */
  keptLines = '';
  readonly #source: RequestSource;
  readonly #host: ResponseHost;
  /** The request was answered. */
  #finished = false;
  /** The handler has closed the connection. */
  #isDestroyed = false;
  #fields: [name: string, value: string][] | undefined;

  constructor(source: RequestSource, compress: CompressRules | undefined, host: ResponseHost) {
    this.#source = source;
    this.compress = compress;
    this.#host = host;
  }

  writer(): JsonWriter {
    this.#checkUnfinished();
    if (this.hasValue) throw writtenAlready();
    this.jsonWriter ??= this.#host.openWriter(this.#source);
    return this.jsonWriter;
  }

  destroy(): void {
    if (this.#finished) return;
    this.#isDestroyed = true;
    this.#host.destroy(this.#source);
  }

  /** Only what would be a 200 can be one (RFC 9110 section 13.2.1). */
  get fresh(): boolean {
    if (this.tag === undefined || (this.statusCode || 200) !== 200) return false;
    const tag = this.field('etag') ?? this.tag.value;
    const { method } = this.#source;
    const mayBe = tag !== undefined && (method === 'GET' || method === 'HEAD');
    return mayBe && matches(this.#source.header('if-none-match'), tag);
  }

  /** Nothing says what is to be sent: no status, no body, no end of the connection. */
  get isUntouched(): boolean {
    return this.statusCode === 0 && this.jsonWriter === undefined && !this.#isDestroyed;
  }

  /** What a field was set to; the last one of several. */
  field(name: string): string | undefined {
    return this.#fields?.findLast((field) => field[0] === name)?.[1];
  }

  /** All values that a field was set to. */
  values(name: string): string[] {
    return this.#fields?.filter((field) => field[0] === name).map(([, value]) => value) ?? [];
  }

  /** A 304 describes no representation that it does not carry (RFC 9110 section 15.4.5). */
  leaveOutBody(): void {
    this.contentType = undefined;
    this.#fields = this.#fields?.filter(([name]) => !BODY_FIELDS.has(name));
  }

  /** Sets a field whose name and value are known to be valid, in the place of those of its name. */
  set(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Adds a field whose name and value are known to be valid. */
  add(name: string, value: string): void {
    this.#fields ??= [];
    this.#fields.push([name, value]);
  }

  remove(name: string): void {
    if (this.#fields !== undefined && this.field(name) !== undefined) {
      this.#fields = this.#fields.filter((field) => field[0] !== name);
    }
  }

  /** The request was answered: nothing that its handler still does has an effect. */
  finish(): void {
    this.#finished = true;
    this.jsonWriter?.abandon();
  }

  #checkUnfinished(): void {
    if (!this.#finished) return;
    throw new LoopShardError('REQUEST_FINISHED', 'Cannot change the response: the request was already answered.');
  }

  /**
   * Back to the start, for an answer in the place of this one.
   * @param keepsFields the fields that were set stay
   */
  reset(statusCode: number, keepsFields = false): void {
    this.statusCode = statusCode;
    this.contentType = undefined;
    this.contentLength = undefined;
    if (keepsFields) this.leaveOutBody();
    else this.#fields = undefined;
    this.hasValue = false;
    this.isPlain = false;
    this.isSealed = false;
    this.isChunked = false;
    this.tag = undefined;
    this.isDescribed = false;
    this.jsonWriter?.abandon();
    this.jsonWriter = undefined;
  }

  /** @throws LoopShardError HEADER_INVALID, REQUEST_FINISHED: status and fields cannot be changed any more */
  checkOpen(): void {
    this.#checkUnfinished();
    if (this.isSealed) {
      throw new LoopShardError(
        'HEADER_INVALID',
        'Cannot set status or headers: the head was already sent. Set them before the stream yields its first chunk.',
      );
    }
    if (this.jsonWriter === undefined) return;
    throw new LoopShardError(
      'HEADER_INVALID',
      'Cannot set status or headers: the body is already being written. Set them before the first `res.writer()`.',
    );
  }

  /** The fields but the content type, as they are sent: whole lines, Latin-1. */
  lines(): string {
    let lines = this.keptLines;
    if (this.#fields === undefined) return lines;
    for (const [name, value] of this.#fields) lines += `${name}: ${value}\r\n`;
    return lines;
  }
}

function writtenAlready(): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    'Cannot open `res.writer()`: the response is being written already. Do not use it in getters, `toJSON` or streams.',
  );
}
