import { inspect } from 'node:util';
import { RENDER, type Rendered, setRendered, usedBody, withoutStatus } from '../../app/rendered.js';
import type { ResponseState } from '../../app/response-state.js';
import { contentToSend, copyBody, defaultTypeOf, LazyBody } from './body.js';
import { type HeaderList, indexOf, listOf } from './header-list.js';
import { toLatin1 } from './header-syntax.js';
import { headersOver, type LazyHeaders, listIn } from './headers.js';
import { NativeResponse } from './native.js';
import { standFor } from './stand-in.js';

/** The second argument of the constructor; also a response of any class. */
interface Init {
  status?: unknown;
  statusText?: unknown;
  headers?: unknown;
}

type ResponseKind = 'default' | 'error';

/** Statuses whose responses have no body (fetch standard, section 2.2.3). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** A reason phrase (RFC 9112 section 4). */
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Stands in for `Response`. Its text and bytes are sent without a stream. Shard only. */
export class LazyResponse extends LazyBody implements Rendered {
  #status = 200;
  #statusText = '';
  #kind: ResponseKind = 'default';
  #isImmutable = false;
  readonly #list: HeaderList;
  #headers: LazyHeaders | undefined;

  static {
    Object.defineProperty(LazyResponse, 'name', { value: 'Response' });
  }

  /** @throws TypeError; RangeError for a status outside 200 to 599 */
  constructor(body?: unknown, init?: Init | null) {
    super(body);
    this.#list = init === undefined || init === null ? [] : this.#initialize(init);
    if (body === undefined || body === null) return;
    if (BODILESS.has(this.#status)) {
      throw new TypeError(`A response with status ${this.#status} cannot have a body.`);
    }
    const type = defaultTypeOf(this);
    if (type !== null && indexOf(this.#list, 'content-type') < 0) this.#list.push('content-type', type);
  }

  static json(data: unknown, init?: Init | null): LazyResponse {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError(`Cannot represent ${inspect(data)} as JSON.`);
    const response = new LazyResponse(null, init);
    if (BODILESS.has(response.#status))
      throw new TypeError(`A response with status ${response.#status} cannot have a body.`);
    const headers = response.#list;
    if (indexOf(headers, 'content-type') < 0) headers.push('content-type', 'application/json');
    return new LazyResponse(text, {
      status: response.#status,
      statusText: response.#statusText,
      headers: response.headers,
    });
  }

  static redirect(url: string | URL, status: unknown = 302): LazyResponse {
    const location = locationOf(url);
    const code = toShort(status);
    if (!REDIRECTS.has(code)) {
      throw new RangeError(`Invalid status of a redirect: expected 301, 302, 303, 307 or 308, got ${inspect(status)}.`);
    }
    const response = new LazyResponse(null, { status: code, headers: { location } });
    response.#isImmutable = true;
    return response;
  }

  static error(): LazyResponse {
    const response = new LazyResponse();
    response.#status = 0;
    response.#kind = 'error';
    response.#isImmutable = true;
    return response;
  }

  get [Symbol.toStringTag](): string {
    return 'Response';
  }

  get status(): number {
    return this.#status;
  }

  get statusText(): string {
    return this.#statusText;
  }

  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299;
  }

  get headers(): LazyHeaders {
    this.#headers ??= headersOver(this.#list, this.#isImmutable);
    return this.#headers;
  }

  get type(): ResponseKind {
    return this.#kind;
  }

  get url(): string {
    return '';
  }

  get redirected(): boolean {
    return false;
  }

  /** @throws TypeError if the body was used */
  clone(): LazyResponse {
    const body = copyBody(this);
    const clone = new LazyResponse(body.content === null ? null : body);
    clone.#list.push(...this.#list);
    clone.#status = this.#status;
    clone.#statusText = this.#statusText;
    clone.#kind = this.#kind;
    clone.#isImmutable = this.#isImmutable;
    return clone;
  }

  [RENDER](response: ResponseState): unknown {
    if (this.#kind === 'error') throw withoutStatus();
    const body = this.#bodyToSend();
    response.isPlain = true;
    response.statusCode = this.#status;
    const list = this.#list;
    for (let i = 0; i < list.length; i += 2) setRendered(response, list[i], list[i + 1]);
    if (!(body instanceof Blob)) return body;
    response.contentLength ??= body.size;
    return body.stream();
  }

  [inspect.custom](): object {
    const { status, statusText, headers } = this;
    return { status, statusText, headers };
  }

  #bodyToSend(): unknown {
    try {
      const content = contentToSend(this);
      if (content === null) return undefined;
      return typeof content === 'object' && 'copyBytes' in content ? content.copyBytes() : content;
    } catch (cause) {
      throw usedBody(cause);
    }
  }

  #initialize(init: Init): HeaderList {
    if (typeof init !== 'object' && typeof init !== 'function') {
      throw new TypeError('Invalid options of `Response`: expected an object.');
    }
    const { status, statusText, headers } = init;
    const list = headers === undefined ? [] : (listIn(headers)?.slice() ?? listOf(headers));
    if (statusText !== undefined) this.#statusText = toLatin1(statusText, '`statusText` of a response');
    if (status !== undefined) this.#status = statusOf(status);
    checkReason(this.#statusText);
    return list;
  }
}

standFor(LazyResponse, NativeResponse);

function statusOf(given: unknown): number {
  const status = toShort(given);
  if (status >= 200 && status <= 599) return status;
  throw new RangeError(`Invalid status of a response: expected 200 to 599, got ${inspect(given)}.`);
}

/** Converts to an unsigned 16-bit integer, as Web IDL does. */
function toShort(given: unknown): number {
  return Math.trunc(Number(given)) & 0xffff;
}

function checkReason(text: string): void {
  if (REASON.test(text)) return;
  throw new TypeError(`Invalid \`statusText\` of a response: it contains a control character, got ${inspect(text)}.`);
}

function locationOf(url: string | URL): string {
  try {
    return new URL(`${url}`).href;
  } catch (cause) {
    throw new TypeError(`Invalid URL of a redirect: expected an absolute URL, got ${inspect(`${url}`)}.`, { cause });
  }
}
