import { LoopShardError } from '../errors.js';
import type { JsonWriter } from '../json/direct.js';
import type { CompressRules } from '../options/compression.js';
import { matches } from './entity-tags.js';
import type { RequestSource } from './request.js';

/** Headers that describe the body, removed if it is not sent. */
const BODY_FIELDS = new Set([
  'content-encoding',
  'content-language',
  'content-range',
  'content-disposition',
  'last-modified',
]);

const TIMING = 'server-timing';

/** Functions of the shard that a response needs. */
export interface ResponseHost {
  /** Opens a JSON writer that leaves room for the head as currently set. */
  openWriter(request: RequestSource): JsonWriter;
  /** Closes the connection. */
  destroy(request: RequestSource): void;
  /** Sends an interim response (RFC 9110 section 15.2). */
  inform(request: RequestSource, bytes: Uint8Array): void;
}

/** State of a response until its handler settles: status, headers, JSON writer. Shard only. */
export class ResponseState {
  /** 0 if the body determines the status. */
  statusCode = 0;
  contentType: string | undefined;
  /** Length of a stream in bytes, if the handler has set it. */
  contentLength: number | undefined;
  /** The writer that `res.writer()` has returned. */
  jsonWriter: JsonWriter | undefined;
  /** The handler's value is being serialized: its getters must not open a writer. */
  hasValue = false;
  /** The value that was returned describes itself: it needs neither a schema nor a default content type. */
  isPlain = false;
  /** The head of a stream has been built and cannot be changed. */
  isSealed = false;
  /** The body uses the chunked transfer coding (RFC 9112 section 7.1). */
  isChunked = false;
  /** Compression rules, if the response may be compressed. */
  compress: CompressRules | undefined;
  /** Set by `res.etag()`. `value` is `undefined` if the tag is computed. */
  tag: { value: string | undefined; isWeak: boolean } | undefined;
  /** The headers that depend on the body are set. */
  isDescribed = false;
  /** Headers that handlers do not see and errors do not remove: complete lines, Latin-1. */
  keptLines = '';
  /** What the server adds to the value of `server-timing`. */
  timing: string | undefined;
  readonly #source: RequestSource;
  readonly #host: ResponseHost;
  /** The request is finished: its response was sent, or nobody waits for it. */
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

  /** Sends an interim response before the response itself. No effect for HTTP/1.0, which has none. */
  inform(bytes: Uint8Array): void {
    if (!this.#finished && !this.#source.isHttp10) this.#host.inform(this.#source, bytes);
  }

  /** Only a response that would be a 200 can become a 304 (RFC 9110 section 13.2.1). */
  get fresh(): boolean {
    if (this.tag === undefined || (this.statusCode || 200) !== 200) return false;
    const tag = this.field('etag') ?? this.tag.value;
    const { method } = this.#source;
    const mayBe = tag !== undefined && (method === 'GET' || method === 'HEAD');
    return mayBe && matches(this.#source.header('if-none-match'), tag);
  }

  /** Neither a status nor a body was set, and the connection was not closed. */
  get isUntouched(): boolean {
    return this.statusCode === 0 && this.jsonWriter === undefined && !this.#isDestroyed;
  }

  /** Returns the value of a header; the last one of several. */
  field(name: string): string | undefined {
    return this.#fields?.findLast((field) => field[0] === name)?.[1];
  }

  /** Returns all values of a header. */
  values(name: string): string[] {
    return this.#fields?.filter((field) => field[0] === name).map(([, value]) => value) ?? [];
  }

  /** Removes headers that describe the body: a 304 should not have them (RFC 9110 section 15.4.5). */
  leaveOutBody(): void {
    this.contentType = undefined;
    this.#fields = this.#fields?.filter(([name]) => !BODY_FIELDS.has(name));
  }

  /** Sets a header and replaces earlier values. Name and value must be valid. */
  set(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Adds a header. Name and value must be valid. */
  add(name: string, value: string): void {
    this.#fields ??= [];
    this.#fields.push([name, value]);
  }

  remove(name: string): void {
    if (this.#fields !== undefined && this.field(name) !== undefined) {
      this.#fields = this.#fields.filter((field) => field[0] !== name);
    }
  }

  /** Marks the request as finished: later calls of its handler have no effect. */
  finish(): void {
    this.#finished = true;
    this.jsonWriter?.abandon();
  }

  #checkUnfinished(): void {
    if (!this.#finished) return;
    throw new LoopShardError('REQUEST_FINISHED', 'Cannot change the response: the request is already finished.');
  }

  /**
   * Discards the response so that another one can replace it.
   * @param keepsFields keeps headers that were set, except those that describe the body
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
    this.timing = undefined;
    this.isDescribed = false;
    this.jsonWriter?.abandon();
    this.jsonWriter = undefined;
  }

  /** @throws LoopShardError HEADER_INVALID, REQUEST_FINISHED if status and headers can no longer be changed */
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

  /** Formats the headers, without the content type: complete lines, Latin-1. */
  lines(): string {
    let lines = this.keptLines;
    if (this.timing !== undefined) lines += `${TIMING}: ${[...this.values(TIMING), this.timing].join(', ')}\r\n`;
    if (this.#fields === undefined) return lines;
    for (const [name, value] of this.#fields) {
      if (this.timing === undefined || name !== TIMING) lines += `${name}: ${value}\r\n`;
    }
    return lines;
  }
}

function writtenAlready(): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    'Cannot open `res.writer()`: the response is already being written. Do not use it in getters, `toJSON` or streams.',
  );
}
