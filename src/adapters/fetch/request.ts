import { inspect } from 'node:util';
import { TOKEN } from '../../options/field-syntax.js';
import { BodyPart, copyBody, defaultTypeOf, initOf, LazyBody, takeBody } from './body.js';
import { STREAM } from './content.js';
import { indexOf, listOf } from './header-list.js';
import { headersOver, type LazyHeaders, listIn } from './headers.js';
import { isLocked, isUsed } from './lazy-stream.js';
import { NativeRequest } from './native.js';
import { ConstructedRequest, ReceivedRequest, type RequestParts } from './request-parts.js';
import { standFor } from './stand-in.js';

/** Attributes that tell how to fetch. The class of Node.js checks them. */
const FETCH_ATTRIBUTES = [
  'cache',
  'credentials',
  'integrity',
  'keepalive',
  'mode',
  'redirect',
  'referrer',
  'referrerPolicy',
] as const;
type FetchAttributes = Partial<Pick<Request, (typeof FETCH_ATTRIBUTES)[number]>>;
type NativeInit = ConstructorParameters<typeof NativeRequest>[1];

/** Methods that are written in capitals, however they are given (fetch standard, section 2.2.1). */
const NORMALIZED_METHOD = /^(?:delete|get|head|options|post|put)$/i;
const FORBIDDEN_METHOD = /^(?:connect|trace|track)$/i;

/** The second argument of the constructor; also a request of any class. */
interface Init extends FetchAttributes {
  method?: unknown;
  headers?: unknown;
  body?: unknown;
  signal?: unknown;
  duplex?: unknown;
}

/** Creates the native request that `fetch` needs, and takes the body. */
export let toNativeRequest: (request: LazyRequest) => Request;

/** Whether a value is a request of ours. */
export let isLazyRequest: (value: unknown) => value is LazyRequest;

/** Returns the attributes for fetching, if a request has other ones than the defaults. */
let attributesIn: (request: unknown) => FetchAttributes | undefined;

/** Stands in for `Request`. Of a request that the server received, only what is read is decoded. Shard only. */
export class LazyRequest extends LazyBody {
  readonly #parts: RequestParts;
  #headers: LazyHeaders | undefined;
  /** Has the attributes for fetching. */
  #attributes: Request | undefined;

  static {
    Object.defineProperty(LazyRequest, 'name', { value: 'Request' });
    toNativeRequest = (request) => {
      const body = initOf(takeBody(request));
      return new NativeRequest(request.url, {
        ...attributesIn(request),
        method: request.method,
        headers: [...request.headers],
        signal: request.signal,
        ...(body !== null && { body, duplex: 'half' }),
      } as NativeInit) as Request;
    };
    isLazyRequest = (value): value is LazyRequest => typeof value === 'object' && value !== null && #parts in value;
    attributesIn = (request) => {
      const given = isLazyRequest(request) ? request.#attributes : (request as FetchAttributes);
      return given && Object.fromEntries(FETCH_ATTRIBUTES.map((name) => [name, given[name]]));
    };
  }

  /** @throws TypeError */
  constructor(input: unknown, init?: Init | null) {
    const parts = isParts(input) ? input : construct(input, init ?? {});
    super(parts.body);
    this.#parts = parts;
    if (parts === input) return;
    this.#attributes = attributesOf(parts.url, input, init ?? {});
    const { headers } = parts as ConstructedRequest;
    const type = defaultTypeOf(this);
    if (type !== null && indexOf(headers, 'content-type') < 0) headers.push('content-type', type);
  }

  get [Symbol.toStringTag](): string {
    return 'Request';
  }

  get method(): string {
    return this.#parts.method;
  }

  get url(): string {
    return this.#parts.url;
  }

  get headers(): LazyHeaders {
    this.#headers ??= headersOver(this.#parts.headers);
    return this.#headers;
  }

  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  /** Address of the client, as `req.ip`. Not in the standard; h3 reads it. */
  get ip(): string | undefined {
    return this.#parts.ip;
  }

  get duplex(): 'half' {
    return 'half';
  }

  get destination(): string {
    return '';
  }

  get isHistoryNavigation(): boolean {
    return false;
  }

  get isReloadNavigation(): boolean {
    return false;
  }

  /** @throws TypeError if the body was used */
  clone(): LazyRequest {
    const body = copyBody(this);
    const headers = [...(listIn(this.headers) ?? [])];
    const clone = new LazyRequest(new ConstructedRequest(this.method, this.url, headers, body, this));
    clone.#attributes = this.#attributes;
    return clone;
  }

  [inspect.custom](): object {
    const { method, url, headers } = this;
    return { method, url, headers };
  }

  /** Gives prototypes the getters of the attributes for fetching. */
  static {
    for (const name of FETCH_ATTRIBUTES) {
      Object.defineProperty(LazyRequest.prototype, name, {
        get(this: LazyRequest) {
          this.#attributes ??= new NativeRequest(this.url) as Request;
          return this.#attributes[name];
        },
        configurable: true,
        enumerable: true,
      });
    }
  }
}

standFor(LazyRequest, NativeRequest);

function isParts(input: unknown): input is RequestParts {
  return input instanceof ReceivedRequest || input instanceof ConstructedRequest;
}

/** @throws TypeError */
function construct(input: unknown, init: Init): ConstructedRequest {
  if (typeof init !== 'object' && typeof init !== 'function')
    throw new TypeError('Invalid options of `Request`: expected an object.');
  const from = input instanceof LazyRequest ? input : undefined;
  const url = from === undefined ? parseUrl(input) : from.url;
  const method = init.method === undefined ? (from?.method ?? 'GET') : methodOf(init.method);
  const given = init.headers ?? from?.headers;
  const headers = given === undefined ? [] : (listIn(given)?.slice() ?? listOf(given));
  const follows = signalOf(init, from);
  const hasBody = init.body !== undefined && init.body !== null;
  if (hasBody && init.body instanceof ReadableStream && init.duplex === undefined) {
    throw new TypeError("A request whose body is a stream needs `duplex: 'half'`.");
  }
  const isBodiless = method === 'GET' || method === 'HEAD';
  if (isBodiless && (hasBody || (from !== undefined && from.body !== null))) {
    throw new TypeError(`A request with method ${method} cannot have a body.`);
  }
  return new ConstructedRequest(method, url, headers, hasBody ? init.body : takeFrom(from), follows);
}

/** Takes the body of a request of ours or of Node.js. */
function takeFrom(from: LazyRequest | undefined): BodyPart | null {
  if (from === undefined) return null;
  if (isLazyRequest(from)) return takeBody(from);
  const { body } = from as Request;
  if (body === null) return null;
  if (isLocked(body) || isUsed(body)) throw new TypeError('Body is unusable: it was already read.');
  return new BodyPart(STREAM, body.pipeThrough(new TransformStream()));
}

function parseUrl(input: unknown): string {
  let url: URL;
  try {
    url = new URL(`${input}`);
  } catch (cause) {
    throw new TypeError(`Invalid URL of a request: expected an absolute URL, got ${inspect(`${input}`)}.`, { cause });
  }
  if (url.username === '' && url.password === '') return url.href;
  throw new TypeError('Invalid URL of a request: it contains credentials. Send them in the header `authorization`.');
}

function methodOf(given: unknown): string {
  const method = `${given}`;
  if (!TOKEN.test(method) || FORBIDDEN_METHOD.test(method)) {
    throw new TypeError(`Invalid method of a request: ${inspect(method)} is not a token, or is forbidden.`);
  }
  return NORMALIZED_METHOD.test(method) ? method.toUpperCase() : method;
}

/** Returns what the request's signal follows. Signals of requests are created only if they are read. */
function signalOf(init: Init, from: LazyRequest | undefined): { readonly signal: AbortSignal } | undefined {
  if (isLazyRequest(init)) return init;
  const { signal } = init;
  if (signal === undefined) return from;
  if (signal === null) return undefined;
  if (signal instanceof AbortSignal) return { signal };
  throw new TypeError(`Invalid signal of a request: expected an AbortSignal, got ${inspect(signal)}.`);
}

/** Combines the attributes for fetching of the arguments; `undefined` if all are the defaults. */
function attributesOf(url: string, input: unknown, init: Init): Request | undefined {
  const from = input instanceof LazyRequest ? attributesIn(input) : undefined;
  const given = isLazyRequest(init) ? attributesIn(init) : definedAttributes(init);
  if (from === undefined && given === undefined) return undefined;
  return new NativeRequest(url, { ...from, ...given } as NativeInit) as Request;
}

function definedAttributes(init: Init): FetchAttributes | undefined {
  const names = FETCH_ATTRIBUTES.filter((name) => init[name] !== undefined);
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, init[name]]));
}
