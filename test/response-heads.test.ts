import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exchange, field, get, post, type RawResponse } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer({ shards: 1, memory: { slotBytes: 4_096 } }, 'heads-app.js');
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const values = ({ fields }: RawResponse, name: string) =>
  fields.filter(([key]) => key === name).map(([, value]) => value);

// Far below, around and above the size of a slot, up to 64 KiB.
test.each([100, 3_000, 4_000, 8_000, 32_000, 64_000])(
  'a head may have %d bytes of headers, whatever the size of a slot',
  async (bytes) => {
    for (const path of ['/text', '/bytes', '/json', '/nothing', '/stream']) {
      const response = await exchange(port, get(`/long/${bytes}${path}`), path !== '/stream');
      expect([path, response.status, field(response, 'x-long')?.length]).toEqual([
        path,
        path === '/nothing' ? 204 : 200,
        bytes,
      ]);
      if (path === '/text') expect(response.body.toString()).toBe('the body');
    }
    const head = await exchange(port, get(`/long/${bytes}/text`).replace('GET', 'HEAD'), false);
    expect([head.status, field(head, 'content-length')]).toEqual([200, '8']);
  },
);

test('two cookies of almost 4 kB each can be set', async () => {
  const cookies = values(await exchange(port, get('/cookies')), 'set-cookie');
  expect(cookies.map(({ length }) => length)).toEqual([3_902, 3_902]);
});

test('more than 64 KiB of headers is an error of the handler', async () => {
  expect((await exchange(port, get('/long/70000/text'))).status).toBe(500);
  expect(running.logged.at(-1)!.details.err).toMatchObject({ code: 'HEADER_INVALID' });
});

test('values may be numbers and arrays', async () => {
  const response = await exchange(port, get('/values'));
  expect([field(response, 'x-number'), values(response, 'x-list'), values(response, 'set-cookie')]).toEqual([
    '42',
    ['a', 'b'],
    ['c=1', 'd=2', 'e=3'],
  ]);
});

test.each([
  ['text/html', 'text/html; charset=utf-8'],
  ['TEXT/CSV', 'TEXT/CSV; charset=utf-8'],
  ['text/html; charset=iso-8859-1', 'text/html; charset=iso-8859-1'],
  ['application/xml', 'application/xml'],
])('text of type %s is sent as %s', async (type, sent) => {
  const target = `/typed?type=${encodeURIComponent(type)}`;
  expect(field(await exchange(port, get(target)), 'content-type')).toBe(sent);
  // The charset of bytes is not known.
  expect(field(await exchange(port, get(`${target}&bytes=1`)), 'content-type')).toBe(type);
});

test('a JSON body may begin with a byte order mark', async () => {
  const { body } = await exchange(port, post('/json', Buffer.from('\ufeff{"a":1}'), 'Content-Type: application/json'));
  expect(JSON.parse(body.toString())).toEqual({ a: 1 });
  expect((await exchange(port, post('/json', Buffer.from('\ufeff\ufeff{}')))).status).toBe(400);
});

// With one of these numbers, the latest head finds no room.
test.each([12, 13, 14, 15, 16, 17])('the date stays current with %d long content types in use', async (count) => {
  const dateOf = async (name: string) =>
    Date.parse(field(await exchange(port, get(`/typed?type=text/${name}${'x'.repeat(900)}`)), 'date')!);
  let latest = 0;
  for (let i = 0; i < count; i++) latest = await dateOf(`${count}-${i}-`);
  await until(async () => (await dateOf(`${count}-${count - 1}-`)) > latest, 'a later date');
});
