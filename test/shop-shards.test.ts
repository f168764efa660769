import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Server, serve } from 'loopshard';
import { until } from './support/server.js';

/* Tests examples/shop as it runs: on shards, over sockets, with one database. */
const ADMIN = { email: 'admin@shop.example', password: 'a password of the test' };
const PEN = 1;

let folder: string;
let server: Server;
let url: string;
let cookie: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loopshard-shop-'));
  server = await serve(new URL('../build/examples/shop/app.js', import.meta.url), {
    port: 0,
    httpThreads: 1,
    groups: { default: 2, reports: 1 },
    threads: { env: { SHOP_DATA: folder, SHOP_ADMIN_PASSWORD: ADMIN.password } },
  });
  url = `http://127.0.0.1:${server.address().port}`;
  const { headers } = await post('/session', ADMIN);
  cookie = headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
});

afterAll(async () => {
  if (server.state !== 'closed') await server.close();
  await rm(folder, { recursive: true });
});

function post(path: string, payload: unknown, method = 'POST'): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...(cookie && { cookie }) };
  return fetch(url + path, { method, headers, body: JSON.stringify(payload) });
}

/** Events that a client has received. */
class Listener {
  received = '';
  readonly ended: Promise<void>;

  private constructor({ body }: Response) {
    this.ended = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of body!) this.received += decoder.decode(chunk, { stream: true });
    })();
  }

  static async open(): Promise<Listener> {
    return new Listener(await fetch(`${url}/stock`));
  }

  hears(productId: number, stock: number): Promise<void> {
    const event = `event: stock\ndata: {"productId":${productId},"stock":${stock}}\n\n`;
    return until(() => this.received.includes(event), event);
  }
}

function shardsOf(group: string) {
  return server.stats().shards.filter((shard) => shard.group === group);
}

test('a change on one shard is sent to the clients of all shards', async () => {
  const listeners: Listener[] = [];
  while (shardsOf('default').some(({ streams }) => streams === 0)) listeners.push(await Listener.open());
  for (const stock of [40, 30]) {
    const changed = await post(`/admin/products/${PEN}`, { stock }, 'PATCH');
    expect(changed.status).toBe(200);
    await Promise.all(listeners.map((listener) => listener.hears(PEN, stock)));
  }
});

test('concurrent orders on several shards never sell more than the stock', async () => {
  const before = shardsOf('default').map(({ requests }) => requests);
  const order = { items: [{ productId: PEN, count: 1 }] };
  const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await post('/orders', order)).status));
  expect(statuses.filter((status) => status === 201)).toHaveLength(30);
  expect(statuses.filter((status) => status === 409)).toHaveLength(20);
  expect(await (await fetch(`${url}/products/${PEN}`)).json()).toMatchObject({ stock: 0 });
  for (const [i, { requests }] of shardsOf('default').entries()) expect(requests).toBeGreaterThan(before[i]);
});

test('reports run on their own shard', async () => {
  const [{ requests }] = shardsOf('reports');
  const report = await fetch(`${url}/admin/report`, { headers: { cookie } });
  expect(await report.json()).toMatchObject({ orders: 30, revenueCents: 7_500 });
  expect(shardsOf('reports')[0].requests).toBe(requests + 1);
});

test('a drain ends event streams and closes the database on every shard', async () => {
  const listener = await Listener.open();
  await server.close();
  await listener.ended;
  // The last connection that is closed in order removes the write-ahead log.
  expect((await readdir(folder)).sort()).toEqual(['images', 'shop.db']);
});
