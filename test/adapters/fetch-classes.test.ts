import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { replaceGlobals, restoreGlobals } from '../../build/src/adapters/fetch/globals.js';
import { LazyHeaders } from '../../build/src/adapters/fetch/headers.js';
import { NativeHeaders, NativeRequest, NativeResponse } from '../../build/src/adapters/fetch/native.js';
import { LazyRequest } from '../../build/src/adapters/fetch/request.js';
import { LazyResponse } from '../../build/src/adapters/fetch/response.js';
import { createRandom } from '../support/random.js';

/* The classes of Node.js are the oracle: the same operations have the same results, or fail with the same class of error. */

const random = createRandom();
const ROUNDS = 2_000;

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}

// biome-ignore lint/suspicious/noExplicitAny: ours and native classes have different types
type Any = any;

interface Classes {
  Headers: new (init?: Any) => Any;
  Request: new (input: Any, init?: Any) => Any;
  Response: { new (body?: Any, init?: Any): Any; json: Any; redirect: Any; error: Any };
}
const OURS: Classes = { Headers: LazyHeaders, Request: LazyRequest, Response: LazyResponse as Any };
const NATIVE: Classes = { Headers: NativeHeaders, Request: NativeRequest, Response: NativeResponse };

/** Describes what a function returns, or the class of the error. */
async function outcomeOf(action: () => unknown): Promise<unknown> {
  try {
    return await describeValue(await action());
  } catch (error) {
    return `throws ${(error as Error).name}`;
  }
}

async function describeValue(value: unknown): Promise<unknown> {
  if (value instanceof Blob) return { blob: value.type, text: await value.text() };
  if (value instanceof FormData) return { form: [...value].map(([name, one]) => [name, String(one)]) };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  return value === undefined ? 'undefined' : value;
}

/** Runs the same program with both kinds of classes and compares what it returns. */
async function compare(program: (classes: Classes) => unknown, what: string): Promise<void> {
  const [ours, native] = [await outcomeOf(() => program(OURS)), await outcomeOf(() => program(NATIVE))];
  expect({ what, got: ours }).toEqual({ what, got: native });
}

// ── headers ───────────────────────────────────────────────────────────────────────────────────────────────────────

const NAMES = [
  'a',
  'A',
  'b',
  'Content-Type',
  'set-cookie',
  'Set-Cookie',
  'cookie',
  'host',
  'x-y',
  '',
  'a b',
  'ü',
  'a:',
];
const VALUES = [
  '',
  '1',
  ' 2 ',
  '\t3\r\n',
  'a, b',
  'ü',
  '€',
  'a\nb',
  'a\0',
  '\x01',
  'a b',
  4,
  null,
  undefined,
  { toString: () => 'o' },
];

type Operation = (headers: Any) => unknown;

function randomOperation(): { name: string; run: Operation } {
  const name = pick(NAMES);
  const value = pick(VALUES);
  const shown = `(${JSON.stringify(name)}, ${JSON.stringify(value)})`;
  return pick<() => { name: string; run: Operation }>([
    () => ({ name: `append${shown}`, run: (headers) => headers.append(name, value) }),
    () => ({ name: `append${shown}`, run: (headers) => headers.append(name, value) }),
    () => ({ name: `set${shown}`, run: (headers) => headers.set(name, value) }),
    () => ({ name: `delete${shown}`, run: (headers) => headers.delete(name) }),
    () => ({ name: `get${shown}`, run: (headers) => headers.get(name) }),
    () => ({ name: `has${shown}`, run: (headers) => headers.has(name) }),
    () => ({ name: 'getSetCookie()', run: (headers) => headers.getSetCookie() }),
    () => ({ name: 'entries()', run: (headers) => [...headers] }),
    () => ({ name: 'keys()', run: (headers) => [...headers.keys()] }),
    () => ({ name: 'values()', run: (headers) => [...headers.values()] }),
    () => ({ name: 'forEach()', run: collectByForEach }),
    () => ({ name: `delete${shown} in a loop`, run: (headers) => collectWhile(headers, () => headers.delete(name)) }),
  ])();
}

function collectByForEach(headers: Any): unknown {
  const seen: unknown[] = [];
  headers.forEach((value: string, name: string, all: unknown) => void seen.push([name, value, all === headers]));
  return seen;
}

function collectWhile(headers: Any, change: () => void): unknown {
  const seen: unknown[] = [];
  for (const pair of headers) {
    seen.push(pair);
    if (seen.length === 1) change();
  }
  return seen;
}

function randomHeadersInit(): unknown {
  const pairs = Array.from({ length: Math.floor(random() * 4) }, () => [pick(NAMES), pick(VALUES)]);
  return pick<() => unknown>([
    () => undefined,
    () => null,
    () => pairs,
    () => Object.fromEntries(pairs as [string, unknown][]),
    () =>
      new NativeHeaders([
        ['a', '1'],
        ['b', '2'],
      ]),
    () =>
      new LazyHeaders([
        ['a', '1'],
        ['b', '2'],
      ]),
    () => new Map([['a', '1']]),
    () => [['a']],
    () => [['a', 'b', 'c']],
    () => ['ab'],
    () => 7,
    () => 'text',
  ])();
}

test('Headers has the same results as the native class after random operations', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const init = randomHeadersInit();
    const operations = Array.from({ length: 8 }, randomOperation);
    const what = `new Headers(${JSON.stringify(init)}); ${operations.map(({ name }) => name).join('; ')}`;
    await compare(async ({ Headers }) => {
      const headers = new Headers(init);
      const outcomes: unknown[] = [];
      for (const { run } of operations) outcomes.push(await outcomeOf(() => run(headers)));
      return [...outcomes, [...headers]];
    }, what);
  }
});

// ── responses ─────────────────────────────────────────────────────────────────────────────────────────────────────

const encode = (text: string) => new TextEncoder().encode(text);

/** Bodies, created anew for each class, because streams can be read once. */
const BODIES: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  'an empty string': () => '',
  text: () => 'grüße',
  'a lone surrogate': () => 'a\ud800b',
  'a byte order mark': () => '\ufeffa',
  JSON: () => '{"a":[1]}',
  bytes: () => encode('{"b":2}'),
  'invalid UTF-8': () => new Uint8Array([0x61, 0xff, 0x62]),
  'no bytes': () => new Uint8Array(),
  'a Buffer of the pool': () => Buffer.from('pooled'),
  'an ArrayBuffer': () => encode('buffer').buffer,
  'a DataView': () => new DataView(encode('view').buffer, 1, 2),
  'a Blob': () => new Blob(['blob'], { type: 'text/x' }),
  'a Blob without a type': () => new Blob(['blob']),
  URLSearchParams: () => new URLSearchParams('a=1&b=2'),
  'a stream': () => streamOf(encode('one '), encode('two')),
  'an empty stream': () => streamOf(),
  'a stream of text': () => streamOf('text'),
  'a failing stream': () => new ReadableStream({ pull: () => Promise.reject(new RangeError('broken')) }),
  'a locked stream': () => lock(streamOf(encode('x'))),
  'a number': () => 7,
  'an object': () => ({}),
};

function streamOf(...chunks: unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

function lock(stream: ReadableStream): ReadableStream {
  stream.getReader();
  return stream;
}

const TYPES = [
  undefined,
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'bad',
];
const STATUSES = [
  undefined,
  200,
  201,
  204,
  304,
  404,
  599,
  199,
  600,
  101,
  0,
  -1,
  '204',
  '404',
  Number.NaN,
  null,
  65_736,
  200.5,
];

function randomResponseInit(): unknown {
  const type = pick(TYPES);
  const init: Record<string, unknown> = {};
  if (random() < 0.4) init.status = pick(STATUSES);
  if (random() < 0.3) init.statusText = pick(['', 'fine', 'ü', '€', 'a\nb', undefined, 7]);
  if (random() < 0.5)
    init.headers = pick<unknown>([type && { 'content-type': type }, [['a', 'b']], { a: 'b', A: 'c' }, null]);
  return pick<unknown>([init, init, init, undefined, null, 7]);
}

const READS = ['text', 'json', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const;
// Node.js 20 has no native `bytes()`.
const isReadable = (method: string) => method in NativeResponse.prototype;

/** Operations on a response or a request; each returns what can be compared. */
const BODY_OPERATIONS: Record<string, (target: Any) => unknown> = {
  ...Object.fromEntries(READS.filter(isReadable).map((method) => [method, (target: Any) => target[method]()])),
  bodyUsed: (target) => target.bodyUsed,
  'body === null': (target) => target.body === null,
  'body is kept': (target) => {
    const { body } = target;
    return body === target.body;
  },
  locked: (target) => target.body?.locked,
  'text of a clone': (target) => target.clone().text(),
  'read of the stream': async (target) => {
    const reader = target.body.getReader();
    const { done, value } = await reader.read();
    reader.releaseLock();
    return { done, length: value === undefined ? -1 : Buffer.concat([value]).length };
  },
  cancel: (target) => target.body?.cancel(),
  lock: (target) => void target.body?.getReader(),
  headers: (target) => withoutBoundary(target.headers),
};

function withoutBoundary(headers: Iterable<[string, string]>): [string, string][] {
  return [...headers].map(([name, value]) => [name, value.replace(/formdata-undici-\d+/, 'boundary')]);
}

const responseState = (response: Any) => ({
  status: response.status,
  statusText: response.statusText,
  ok: response.ok,
  type: response.type,
  url: response.url,
  redirected: response.redirected,
  bodyUsed: response.bodyUsed,
  headers: withoutBoundary(response.headers),
  tag: Object.prototype.toString.call(response),
});

async function runOperations(target: Any, names: readonly string[]): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for (const name of names)
    outcomes.push([name, await outcomeOf(() => BODY_OPERATIONS[name](target)), target.bodyUsed]);
  return outcomes;
}

const randomOperations = () => Array.from({ length: 4 }, () => pick(Object.keys(BODY_OPERATIONS)));

test('Response has the same results as the native class after random operations', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const bodyName = pick(Object.keys(BODIES));
    const init = randomResponseInit();
    const operations = randomOperations();
    await compare(
      async ({ Response }) => {
        const response = new Response(BODIES[bodyName](), init);
        return [responseState(response), await runOperations(response, operations), response.bodyUsed];
      },
      `new Response(${bodyName}, ${JSON.stringify(init)}); ${operations.join('; ')}`,
    );
  }
});

test('a Response made of the body of another has the same results', async () => {
  for (let round = 0; round < ROUNDS / 4; round++) {
    const bodyName = pick(Object.keys(BODIES));
    const before = random() < 0.2 ? [pick(Object.keys(BODY_OPERATIONS))] : [];
    const operations = randomOperations();
    await compare(
      async ({ Response }) => {
        const first = new Response(BODIES[bodyName](), { status: 201, headers: { a: 'b' } });
        await runOperations(first, before);
        const second = new Response(first.body, first);
        return [responseState(second), await runOperations(second, operations), first.bodyUsed];
      },
      `new Response(first.body, first) of ${bodyName} after ${before}; ${operations.join('; ')}`,
    );
  }
});

describe('the static methods of Response', () => {
  test.each<[string, (classes: Classes) => Any]>([
    ['json()', ({ Response }) => Response.json({ a: 1 })],
    ['json() with a status and headers', ({ Response }) => Response.json([], { status: 201, headers: { a: 'b' } })],
    ['json() with a content type', ({ Response }) => Response.json(1, { headers: { 'content-type': 'x/y' } })],
    ['json() of undefined', ({ Response }) => Response.json(undefined)],
    ['json() with 204', ({ Response }) => Response.json(1, { status: 204 })],
    ['redirect()', ({ Response }) => Response.redirect('http://a.test/b c')],
    ['redirect() with a status', ({ Response }) => Response.redirect('http://a.test', 307)],
    ['redirect() to a relative URL', ({ Response }) => Response.redirect('/b')],
    ['redirect() with another status', ({ Response }) => Response.redirect('http://a.test', 200)],
    ['error()', ({ Response }) => Response.error()],
  ])('%s has the same result as the native one', async (what, create) => {
    await compare(async (classes) => {
      const response = create(classes);
      const change = await outcomeOf(() => response.headers.set('a', 'b'));
      return [responseState(response), change, await response.text()];
    }, what);
  });
});

// ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

const URLS = [
  'http://a.test/b?c#d',
  'http://a.test/../x y',
  '/relative',
  'http://user:word@a.test/',
  'not a url',
  new URL('https://b.test'),
];

function randomRequestInit(): Record<string, unknown> {
  const init: Record<string, unknown> = {};
  if (random() < 0.6)
    init.method = pick(['GET', 'post', 'POST', 'PUT', 'Head', 'DELETE', 'x-own', 'CONNECT', 'trace', '', 'a b']);
  if (random() < 0.4) init.headers = pick<unknown>([{ a: 'b' }, { 'content-type': 'application/json' }, [['c', 'd']]]);
  if (random() < 0.3) init.signal = pick<unknown>([AbortSignal.abort(), new AbortController().signal, null, 7]);
  if (random() < 0.2) init.cache = pick(['no-store', 'wrong']);
  if (random() < 0.2) init.redirect = pick(['manual', 'wrong']);
  if (random() < 0.2) init.referrer = pick(['', 'http://a.test/r']);
  return init;
}

const requestState = (request: Any) => ({
  method: request.method,
  url: request.url,
  headers: withoutBoundary(request.headers),
  aborted: request.signal.aborted,
  cache: request.cache,
  credentials: request.credentials,
  redirect: request.redirect,
  referrer: request.referrer,
  mode: request.mode,
  duplex: request.duplex,
  destination: request.destination,
  bodyUsed: request.bodyUsed,
  tag: Object.prototype.toString.call(request),
});

test('Request has the same results as the native class after random operations', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const url = pick(URLS);
    const bodyName = random() < 0.6 ? pick(Object.keys(BODIES)) : 'undefined';
    const init = { ...randomRequestInit(), ...(random() < 0.8 && { duplex: 'half' }) };
    const operations = randomOperations();
    await compare(
      async ({ Request }) => {
        const request = new Request(url, { ...init, body: BODIES[bodyName]() });
        return [requestState(request), await runOperations(request, operations)];
      },
      `new Request(${url}, ${JSON.stringify(init)}, ${bodyName}); ${operations.join('; ')}`,
    );
  }
});

test('a Request made of another has the same results', async () => {
  for (let round = 0; round < ROUNDS / 2; round++) {
    const bodyName = pick(Object.keys(BODIES));
    const init = randomRequestInit();
    const isInit = random() < 0.3;
    const before = random() < 0.2 ? [pick(Object.keys(BODY_OPERATIONS))] : [];
    const operations = randomOperations();
    await compare(
      async ({ Request }) => {
        const first = new Request('http://a.test/1', {
          method: 'POST',
          headers: { a: '1' },
          body: BODIES[bodyName](),
          duplex: 'half',
          redirect: 'manual',
        });
        await runOperations(first, before);
        const second = isInit ? new Request('http://a.test/2', first) : new Request(first, init);
        return [requestState(second), await runOperations(second, operations), first.bodyUsed];
      },
      `new Request(first, ${isInit ? 'as init' : JSON.stringify(init)}) of ${bodyName} after ${before}; ${operations.join('; ')}`,
    );
  }
});

test('an abort reaches the signals of a request that was made of another, and of a clone', () => {
  const controller = new AbortController();
  const request = new LazyRequest('http://a.test', { signal: controller.signal });
  const { signal } = new LazyRequest(request);
  const { signal: ofClone } = request.clone();
  controller.abort('because');
  expect([signal.reason, ofClone.reason, new LazyRequest(request).signal.reason]).toEqual(Array(3).fill('because'));
});

// ── ours beside native ones ───────────────────────────────────────────────────────────────────────────────────────

describe('beside native objects', () => {
  beforeAll(replaceGlobals);
  afterAll(restoreGlobals);

  test('instanceof works in both directions, and for derived classes', () => {
    class OwnResponse extends Response {}
    expect(new NativeResponse() instanceof Response).toBe(true);
    expect(new Response() instanceof NativeResponse).toBe(true);
    expect(new NativeRequest('http://a.test') instanceof Request).toBe(true);
    expect(new Request('http://a.test') instanceof NativeRequest).toBe(true);
    expect(new NativeHeaders() instanceof Headers).toBe(true);
    expect(new Headers() instanceof NativeHeaders).toBe(true);
    expect(new OwnResponse() instanceof OwnResponse).toBe(true);
    expect(new OwnResponse() instanceof Response).toBe(true);
    expect(new Response() instanceof OwnResponse).toBe(false);
    expect(new NativeResponse() instanceof OwnResponse).toBe(false);
    expect({} instanceof Response).toBe(false);
    expect([new Response(), new Request('http://a.test'), new Headers()].map((one) => one.constructor.name)).toEqual([
      'Response',
      'Request',
      'Headers',
    ]);
  });

  test('native objects are accepted in place of ours, and ours in place of native ones', async () => {
    const native = new NativeRequest('http://a.test', { method: 'POST', body: 'text', headers: { a: 'b' } });
    const ours = new Request(native as Any);
    expect([ours.headers.get('a'), await ours.text(), native.bodyUsed]).toEqual(['b', 'text', true]);
    const response = new Response('x', new NativeResponse(null, { status: 201, headers: { a: 'b' } }) as Any);
    expect([response.status, response.headers.get('a')]).toEqual([201, 'b']);
    const back = new NativeResponse(
      new Response('y').body as Any,
      new Response(null, { status: 202, headers: { c: 'd' } }) as Any,
    );
    expect([back.status, back.headers.get('c'), await back.text()]).toEqual([202, 'd', 'y']);
  });

  test('the globals return when the last app has ended', () => {
    replaceGlobals();
    restoreGlobals();
    expect(globalThis.Response).toBe(LazyResponse);
    restoreGlobals();
    expect([globalThis.Response, globalThis.Request, globalThis.Headers]).toEqual([
      NativeResponse,
      NativeRequest,
      NativeHeaders,
    ]);
    replaceGlobals();
  });
});

test('text and bytes of a body are copied only when they are read, and a stream only exists if it is asked for', async () => {
  const bytes = encode('abc');
  const response = new LazyResponse(bytes);
  bytes[0] = 0;
  const copy = await response.clone().arrayBuffer();
  new Uint8Array(copy)[1] = 0;
  expect(await response.text()).toBe('abc');
});

test('a stream with a reader for its own buffers yields the body', async () => {
  const reader = new LazyResponse('abc').body!.getReader({ mode: 'byob' });
  const { value } = await reader.read(new Uint8Array(8));
  expect(Buffer.from(value!).toString()).toBe('abc');
  expect((await reader.read(new Uint8Array(8))).done).toBe(true);
});
