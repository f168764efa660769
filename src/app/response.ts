import { inspect } from 'node:util';
import type Cookie from 'cookie';
import { lazily } from '../core/lazily.js';
import { LoopShardError } from '../errors.js';
import type { JsonWriter } from '../json/direct.js';
import { formatTag } from './entity-tags.js';
import type { CookieOptions, ShardResponse } from './handler.js';
import { checkContentType, checkFieldName, checkFieldValue, SERVER_FIELDS } from './header-checks.js';
import type { ResponseState } from './response-state.js';

const cookies = lazily<typeof Cookie>('cookie');

const COOKIE_ATTRIBUTES: readonly string[] = [
  'domain',
  'expires',
  'httpOnly',
  'maxAge',
  'partitioned',
  'path',
  'priority',
  'sameSite',
  'secure',
] satisfies (keyof CookieOptions)[];
/** Matches characters that a URL cannot contain. `%` is allowed, so that encoded text is not encoded again. */
const NOT_IN_URL = /[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7a\x7c\x7e]+/g;

/** Adds header lines, with their line ends, to a response. Errors do not remove them. */
export let keepLines: (response: AppResponse, lines: string) => void;

/** Whether neither a status nor a body was set and the connection was not closed. */
export let isUntouched: (response: AppResponse) => boolean;

/** Key of a response's state. A global symbol, because adapters may come from another copy of this module. */
export const STATE = Symbol.for('loopshard.responseState');

/** The `res` of handlers. Has only public members of the API. Shard only. */
export class AppResponse implements ShardResponse {
  readonly #state: ResponseState;

  static {
    isUntouched = (response) => response.#state.isUntouched;
    keepLines = (response, lines) => {
      response.#state.keptLines = lines;
    };
  }

  constructor(state: ResponseState) {
    this.#state = state;
  }

  /** Tells JSON writers that this object has content, although it has no own properties. */
  get [Symbol.toStringTag](): string {
    return 'ShardResponse';
  }

  get statusCode(): number {
    return this.#state.statusCode;
  }

  set statusCode(code: number) {
    this.status(code);
  }

  status(code: number): this {
    this.#state.checkOpen();
    if (!Number.isInteger(code) || code < 200 || code > 599) {
      throw new LoopShardError(
        'STATUS_INVALID',
        `Invalid status: expected an integer from 200 to 599, got ${inspect(code)}.`,
      );
    }
    this.#state.statusCode = code;
    return this;
  }

  header(name: string, value: string | number | readonly string[]): this {
    const key = this.#checkName(name);
    if (key === 'content-type') return this.type(value as string);
    if (key === 'content-length') return this.#setLength(value);
    const values = valuesOf(key, value);
    if (key !== 'set-cookie') this.#state.remove(key);
    for (const one of values) this.#state.add(key, one);
    return this;
  }

  append(name: string, value: string | number | readonly string[]): this {
    const key = this.#checkName(name);
    if (key === 'content-type' || key === 'content-length') return this.header(key, value);
    for (const one of valuesOf(key, value)) this.#state.add(key, one);
    return this;
  }

  getHeader(name: string): string | readonly string[] | undefined {
    const key = String(name).toLowerCase();
    const { contentType, contentLength } = this.#state;
    if (key === 'content-type') return contentType;
    if (key === 'content-length') return contentLength === undefined ? undefined : String(contentLength);
    const values = this.#state.values(key);
    return values.length > 1 ? values : values[0];
  }

  removeHeader(name: string): this {
    const key = this.#checkName(name);
    if (key === 'content-type') this.#state.contentType = undefined;
    else if (key === 'content-length') this.#state.contentLength = undefined;
    else if (key === 'etag') this.#state.tag = undefined;
    this.#state.remove(key);
    return this;
  }

  type(mime: string): this {
    this.#state.checkOpen();
    this.#state.contentType = checkContentType(mime);
    return this;
  }

  redirect(url: string, status = 302): this {
    if (!Number.isInteger(status) || status < 300 || status > 399) {
      throw new LoopShardError(
        'STATUS_INVALID',
        `Invalid status of a redirect: expected an integer from 300 to 399, got ${inspect(status)}.`,
      );
    }
    if (typeof url !== 'string') {
      throw new LoopShardError('HEADER_INVALID', `Invalid URL of a redirect: expected a string, got ${inspect(url)}.`);
    }
    return this.status(status).header('location', url.replace(NOT_IN_URL, encode));
  }

  cookie(name: string, value: string, options: CookieOptions = {}): this {
    checkCookie(name, value, options);
    let line: string;
    try {
      line = cookies().stringifySetCookie({ ...options, name, value: String(value) });
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new LoopShardError('HEADER_INVALID', `Cannot set the cookie ${inspect(name)}: ${reason}.`, { cause });
    }
    return this.append('set-cookie', line);
  }

  clearCookie(name: string, options: CookieOptions = {}): this {
    const { maxAge: _, ...rest } = options;
    return this.cookie(name, '', { ...rest, expires: new Date(0) });
  }

  etag(value?: string, { weak = false }: { weak?: boolean } = {}): this {
    this.#state.checkOpen();
    this.#state.tag = { value: value === undefined ? undefined : formatTag(value, weak), isWeak: weak };
    return this;
  }

  get fresh(): boolean {
    return this.#state.fresh;
  }

  writer(): JsonWriter {
    return this.#state.writer();
  }

  destroy(): void {
    this.#state.destroy();
  }

  get [STATE](): ResponseState {
    return this.#state;
  }

  [inspect.custom](): object {
    return { statusCode: this.statusCode };
  }

  /** Returns the name in lower case. Throws if the header cannot be set. */
  #checkName(name: string): string {
    this.#state.checkOpen();
    const key = checkFieldName(name).toLowerCase();
    if (SERVER_FIELDS.has(key)) {
      throw new LoopShardError('HEADER_INVALID', `Cannot set the header \`${key}\`: the server sets it.`);
    }
    return key;
  }

  /** Sets the length of a stream. For all other bodies the server computes it. */
  #setLength(value: unknown): this {
    const length = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (!Number.isSafeInteger(length) || Number(length) < 0) {
      throw new LoopShardError(
        'HEADER_INVALID',
        `Invalid \`content-length\`: expected a number of bytes, got ${inspect(value)}.`,
      );
    }
    this.#state.contentLength = Number(length);
    return this;
  }
}

/** Rejects unknown attributes. The cookie library ignores them, so a cookie with `httponly` would be readable by scripts. */
function checkCookie(name: string, value: unknown, options: object): void {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new LoopShardError(
      'HEADER_INVALID',
      `Invalid value of the cookie ${inspect(name)}: expected a string, got ${inspect(value)}.`,
    );
  }
  const unknown = Object.keys(options).find((key) => !COOKIE_ATTRIBUTES.includes(key));
  if (unknown === undefined) return;
  const meant = COOKIE_ATTRIBUTES.find((known) => known.toLowerCase() === unknown.toLowerCase().replace('-', ''));
  throw new LoopShardError(
    'OPTION_UNKNOWN',
    `Unknown attribute \`${unknown}\` of the cookie ${inspect(name)}.${meant === undefined ? '' : ` Did you mean \`${meant}\`?`} All attributes: ${COOKIE_ATTRIBUTES.join(', ')}.`,
  );
}

function valuesOf(name: string, value: string | number | readonly string[]): readonly string[] {
  const values = Array.isArray(value) ? value : [typeof value === 'number' ? String(value) : value];
  for (const one of values) checkFieldValue(name, one);
  return values;
}

function encode(text: string): string {
  // `encodeURIComponent` throws on a lone surrogate.
  return encodeURIComponent(text.toWellFormed());
}
