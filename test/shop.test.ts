import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { App } from 'loopshard';
import { close, type InjectOptions, type InjectResponse, inject } from 'loopshard/testing';
import { until } from './support/server.js';

/* Tests examples/shop without a port and without threads. */
const ORIGIN = 'https://shop.example';
const ADMIN = { email: 'admin@shop.example', password: 'a password of the test' };
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

let folder: string;
let app: App;
let customer: Record<string, string>;
let admin: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loopshard-shop-'));
  process.env.SHOP_DATA = folder;
  process.env.SHOP_ORIGINS = ORIGIN;
  process.env.SHOP_ADMIN_PASSWORD = ADMIN.password;
  ({ default: app } = await import('../examples/shop/app.js'));
  const credentials = { email: 'Ada@example.org', password: 'correct horse' };
  const created = await send('POST', '/users', { payload: credentials });
  expect([created.statusCode, created.json()]).toEqual([201, { id: 2, email: 'ada@example.org', role: 'customer' }]);
  customer = cookiesOf(created);
  admin = cookiesOf(await send('POST', '/session', { payload: ADMIN }));
});

afterAll(async () => {
  await close(app);
  await rm(folder, { recursive: true });
});

function send(method: string, url: string, options: Omit<InjectOptions, 'url' | 'method'> = {}) {
  return inject(app, { method, url, ...options });
}

function cookiesOf(response: InjectResponse): Record<string, string> {
  return Object.fromEntries(response.cookies.map(({ name, value = '' }) => [name, value]));
}

/** The parts of a product that tests use. */
interface Product {
  id: number;
  name: string;
  stock: number;
  image: string | null;
}

async function product(id: number): Promise<Product> {
  return (await send('GET', `/products/${id}`)).json<Product>();
}

describe('products', () => {
  test('are listed by page and by text in their names', async () => {
    const names = async (query: string) =>
      (await send('GET', `/products${query}`)).json<Product[]>().map(({ name }) => name);
    expect(await names('')).toEqual(['Pen', 'Notebook', 'Desk lamp']);
    expect(await names('?after=1&limit=1')).toEqual(['Notebook']);
    expect(await names('?search=LAMP')).toEqual(['Desk lamp']);
  });

  test.each([
    ['/products?limit=1000', { in: 'query', path: '/limit', message: 'must be <= 100' }],
    ['/products/pen', { in: 'params', path: '/id', message: expect.stringContaining('expected number') }],
  ])('%s is rejected with the path of the error', async (url, issue) => {
    const response = await send('GET', url);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'REQUEST_INVALID', issues: [issue] });
  });

  test('have an entity tag', async () => {
    const { headers } = await send('GET', '/products/1');
    const again = await send('GET', '/products/1', { headers: { 'if-none-match': String(headers.etag) } });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  test('that do not exist get 404', async () => {
    const response = await send('GET', '/products/999');
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual({ statusCode: 404, code: 'NOT_FOUND', message: 'Product 999 does not exist.' });
  });
});

describe('sessions', () => {
  test('have cookies that scripts cannot read, and the refresh token is limited to its path', async () => {
    const { cookies } = await send('POST', '/session', { payload: ADMIN });
    expect(cookies).toMatchObject([
      { name: 'session', httpOnly: true, sameSite: 'strict', path: '/', maxAge: 900 },
      { name: 'refresh', httpOnly: true, sameSite: 'strict', path: '/session', maxAge: 2_592_000 },
    ]);
  });

  test('accept a refresh token only once', async () => {
    const { refresh } = cookiesOf(await send('POST', '/session', { payload: ADMIN }));
    const fresh = await send('POST', '/session/refresh', { cookies: { refresh } });
    expect([fresh.statusCode, fresh.json()]).toEqual([200, { id: 1, email: ADMIN.email, role: 'admin' }]);
    expect((await send('POST', '/session/refresh', { cookies: { refresh } })).statusCode).toBe(401);
    expect((await send('GET', '/admin/report', { cookies: cookiesOf(fresh) })).statusCode).toBe(200);
  });

  test('cannot be refreshed once they have ended', async () => {
    const cookies = cookiesOf(await send('POST', '/session', { payload: ADMIN }));
    const ended = await send('DELETE', '/session', { cookies });
    expect([ended.statusCode, ended.cookies.map(({ value }) => value)]).toEqual([204, ['', '']]);
    expect((await send('POST', '/session/refresh', { cookies })).statusCode).toBe(401);
  });

  test.each([
    ['a wrong password', { ...ADMIN, password: 'a wrong one' }, 401],
    ['an unknown address', { ...ADMIN, email: 'nobody@example.org' }, 401],
    ['no address', { ...ADMIN, email: 'nobody' }, 400],
  ])('are not opened with %s', async (_, payload, statusCode) => {
    const response = await send('POST', '/session', { payload });
    expect([response.statusCode, response.cookies]).toEqual([statusCode, []]);
  });

  test('allow one account per email address', async () => {
    const again = await send('POST', '/users', { payload: { email: 'ada@example.org', password: 'another one' } });
    expect(again.statusCode).toBe(409);
  });

  test.each([
    ['no token', {}],
    ['a token that nobody signed', { session: 'eyJhbGciOiJub25lIn0.eyJ1c2VyIjp7ImlkIjoxfX0.' }],
    ['another kind of value', { session: 'x' }],
  ])('are required: %s gets 401', async (_, cookies) => {
    const response = await send('GET', '/orders/1', { cookies });
    expect([response.statusCode, response.json()]).toEqual([
      401,
      { statusCode: 401, code: 'UNAUTHORIZED', message: 'Log in first.' },
    ]);
  });
});

describe('orders', () => {
  const order = (...items: { productId: number; count: number }[]) =>
    send('POST', '/orders', { cookies: customer, payload: { items } });

  test('reduce the stock, and are visible only to their customer', async () => {
    const placed = await order({ productId: 1, count: 2 }, { productId: 2, count: 1 });
    expect(placed.statusCode).toBe(201);
    expect(placed.json()).toMatchObject({
      totalCents: 1_300,
      items: [{ productId: 1, count: 2, priceCents: 250 }, {}],
    });
    expect((await product(1)).stock).toBe(98);
    const url = String(placed.headers.location);
    expect((await send('GET', url, { cookies: customer })).json()).toEqual(placed.json());
    expect((await send('GET', url, { cookies: admin })).statusCode).toBe(404);
  });

  test('sell all of their items or nothing', async () => {
    const before = await product(1);
    const refused = await order({ productId: 1, count: 1 }, { productId: 3, count: 4 });
    expect(refused.statusCode).toBe(409);
    expect(refused.json()).toMatchObject({ message: 'Product 3 is sold out.' });
    expect(await product(1)).toEqual(before);
  });

  test('need at least one item', async () => {
    expect((await order()).json()).toMatchObject({ statusCode: 400, issues: [{ in: 'body', path: '/items' }] });
  });
});

describe('administration', () => {
  test('is forbidden for customers', async () => {
    const response = await send('GET', '/admin/report', { cookies: customer });
    expect([response.statusCode, response.json<Error>().message]).toEqual([403, 'Administrators only.']);
  });

  test('adds and changes products', async () => {
    const payload = { name: ' Ruler ', priceCents: 300, stock: 5 };
    const added = await send('POST', '/admin/products', { cookies: admin, payload });
    expect([added.statusCode, added.json()]).toEqual([201, { id: 4, ...payload, name: 'Ruler', image: null }]);
    expect((await send('POST', '/admin/products', { cookies: admin, payload })).statusCode).toBe(409);
    const changed = await send('PATCH', '/admin/products/4', { cookies: admin, payload: { stock: 7 } });
    expect(changed.json()).toEqual({ ...added.json<object>(), stock: 7 });
    const taken = await send('PATCH', '/admin/products/4', { cookies: admin, payload: { name: 'Pen' } });
    expect(taken.json()).toEqual({ statusCode: 409, code: 'CONFLICT', message: 'Product Pen already exists.' });
  });

  test('reports sales', async () => {
    const report = (await send('GET', '/admin/report', { cookies: admin })).json();
    expect(report).toEqual({ orders: 1, revenueCents: 1_300, meanOrderCents: { low: 1_300, high: 1_300 } });
  });
});

describe('images', () => {
  const upload = (id: number, payload: unknown, type = 'image/png') =>
    send('PUT', `/admin/products/${id}/image`, { cookies: admin, payload, headers: { 'content-type': type } });
  const stored = () => readdir(join(folder, 'images'));

  test('are stored as they arrive, and served', async () => {
    const response = await upload(1, Readable.from([PNG.subarray(0, 5), PNG.subarray(5)]));
    expect(response.statusCode).toBe(200);
    const { image } = await product(1);
    expect(await readFile(join(folder, String(image)))).toEqual(PNG);
    const served = await send('GET', String(image));
    expect([served.headers['content-type'], served.rawPayload]).toEqual(['image/png', PNG]);
    const part = await send('GET', String(image), { headers: { range: 'bytes=1-3' } });
    expect([part.statusCode, part.body]).toEqual([206, 'PNG']);
    await upload(1, PNG);
    expect(await stored()).toEqual([basename(String((await product(1)).image))]);
  });

  test.each([
    ['of another type', 'GIF89a', 'image/gif', 415],
    ['that announces too many bytes', Buffer.alloc(2_000_001), 'image/png', 413],
    [
      'that exceeds the limit while it arrives',
      Readable.from([Buffer.alloc(1_500_000), Buffer.alloc(1_500_000)]),
      'image/png',
      413,
    ],
  ])('an image %s leaves no file behind', async (_, payload, type, statusCode) => {
    const before = await stored();
    expect((await upload(2, payload, type)).statusCode).toBe(statusCode);
    // The client gets its response before the handler has cleaned up.
    await until(async () => isDeepStrictEqual(await stored(), before), 'the removal of the incomplete file');
    expect((await product(2)).image).toBe(null);
  });
});

describe('pages of other origins', () => {
  const preflight = (url: string, origin = ORIGIN) =>
    send('OPTIONS', url, { headers: { origin, 'access-control-request-method': 'PATCH' } });

  test('may send preflights', async () => {
    const { statusCode, headers } = await preflight('/admin/products/1');
    expect(statusCode).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': expect.stringContaining('PATCH'),
    });
  });

  test.each([
    ['a result', 'GET', '/products/1', undefined, 200],
    ['an error of a handler', 'GET', '/products/999', undefined, 404],
    ['an error of validation', 'GET', '/products?limit=x', undefined, 400],
    ['a 404', 'GET', '/nowhere', undefined, 404],
    ['a 405', 'PUT', '/products/1', undefined, 405],
    ['a 413', 'POST', '/session', 'x'.repeat(1_100_000), 413],
  ])('read %s', async (_, method, url, payload, statusCode) => {
    const response = await send(method, url, { payload, headers: { origin: ORIGIN } });
    expect([response.statusCode, response.headers['access-control-allow-origin']]).toEqual([statusCode, ORIGIN]);
    expect([response.headers.vary, response.headers['access-control-allow-credentials']]).toEqual(['origin', 'true']);
  });

  test.each(['/products/1', '/products/999', '/nowhere'])(
    'cannot read %s unless their origin is allowed',
    async (url) => {
      const { headers } = await send('GET', url, { headers: { origin: 'https://elsewhere.example' } });
      expect(headers['access-control-allow-origin']).toBe(undefined);
      expect(headers.vary).toBe('origin');
    },
  );
});
