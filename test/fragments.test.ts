import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { get, post, RawClient, type RawResponse } from './support/client.js';
import { createRandom } from './support/random.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

let running: TestServer;

beforeAll(async () => {
  running = await startServer({ shards: 1 });
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const big = 'y'.repeat(40_000);
const stream = Buffer.concat([
  Buffer.from(get('/request/1?q=a%20b', 'X-Test: first', 'Cookie: a=1', 'Empty:')),
  post('/request/2', 'a body', 'X-Test: second'),
  Buffer.from('POST /request/3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Test: third\r\n\r\n'),
  Buffer.from('3\r\none\r\n4;x=y\r\n two\r\n0\r\nTrailer: t\r\n\r\n'),
  Buffer.from(get('/files/a/b', 'X-Test:   spaced   ')),
]);
const responses = 4;

const plain = (response: RawResponse) => ({
  statusLine: response.statusLine,
  body: response.body.toString(),
  fields: response.fields.filter(([name]) => name !== 'date'),
});

async function deliver(pieces: Uint8Array[], count = responses) {
  const client = await RawClient.open(running.port);
  for (const piece of pieces) await client.send(piece);
  const received = [];
  for (let i = 0; i < count; i++) received.push(plain(await client.response()));
  client.destroy();
  return received;
}

describe('requests have the same meaning however they are split into packets', () => {
  test('in two, at every offset', async () => {
    const whole = await deliver([stream]);
    expect(whole.map(({ statusLine }) => statusLine)).toEqual(Array(responses).fill('HTTP/1.1 200 OK'));
    expect(JSON.parse(whole[0].body)).toMatchObject({ id: '1', query: { q: 'a b' }, header: 'first' });
    expect(JSON.parse(whole[1].body)).toMatchObject({ id: '2', body: 'a body', header: 'second' });
    expect(JSON.parse(whole[2].body)).toMatchObject({ id: '3', body: 'one two', header: 'third' });
    for (let offset = 1; offset < stream.length; offset++) {
      expect(await deliver([stream.subarray(0, offset), stream.subarray(offset)])).toEqual(whole);
    }
  });

  test('byte by byte', async () => {
    const whole = await deliver([stream]);
    const bytes = Array.from(stream, (_, i) => stream.subarray(i, i + 1));
    expect(await deliver(bytes)).toEqual(whole);
  });

  test('at random, with bodies larger than a slot between them', async () => {
    const random = createRandom();
    const mixed = Buffer.concat([stream, post('/length', big), stream, post('/request/9', big, 'X-Test: big'), stream]);
    const count = 3 * responses + 2;
    const whole = await deliver([mixed], count);
    expect(whole[responses].body).toBe('{"length":40000}');
    expect(JSON.parse(whole[2 * responses + 1].body)).toMatchObject({ header: 'big', body: big });
    for (let run = 0; run < 25; run++) {
      const pieces = [];
      for (let at = 0; at < mixed.length; ) {
        const size = 1 + Math.floor(random() ** 3 * 30_000);
        pieces.push(mixed.subarray(at, at + size));
        at += size;
      }
      expect(await deliver(pieces, count)).toEqual(whole);
    }
  });

  test('while other connections are in the middle of their requests', async () => {
    const whole = await deliver([stream]);
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(running.port)));
    for (let at = 0; at < stream.length; at += 3) {
      await Promise.all(clients.map((client) => client.send(stream.subarray(at, at + 3))));
    }
    for (const client of clients) {
      for (let i = 0; i < responses; i++) expect(plain(await client.response())).toEqual(whole[i]);
      client.destroy();
    }
  });
});
