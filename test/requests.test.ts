import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer();
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const code = (body: Buffer) => JSON.parse(body.toString()).code;

describe('methods', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s reaches its handler', async (method) => {
    const { status, body } = await exchange(port, `${method} /request/7?a=1 HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(status).toBe(200);
    expect(JSON.parse(body.toString())).toMatchObject({ method, id: '7', target: '/request/7?a=1' });
  });

  test('HEAD has the headers of GET and no body', async () => {
    const client = await RawClient.open(port);
    client.write('HEAD /json HTTP/1.1\r\nHost: x\r\n\r\n');
    const head = await client.response({ hasBody: false });
    expect(head.status).toBe(200);
    expect(field(head, 'content-length')).toBe('27');
    expect(field(head, 'content-type')).toBe('application/json');
    client.write(get('/text'));
    expect((await client.response()).body.toString()).toBe('grüße');
    client.destroy();
  });

  test('HEAD of a body larger than a slot and of an error has no body either', async () => {
    const client = await RawClient.open(port);
    client.write('HEAD /large/100000 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(field(await client.response({ hasBody: false }), 'content-length')).toBe('100000');
    expect((await client.response({ hasBody: false })).status).toBe(404);
    client.write(get('/json'));
    expect((await client.response()).status).toBe(200);
    client.destroy();
  });

  test('OPTIONS without a handler names the methods of the path, OPTIONS * all', async () => {
    const thing = await exchange(port, 'OPTIONS /thing HTTP/1.1\r\nHost: x\r\n\r\n');
    expect([thing.status, field(thing, 'allow')]).toEqual([204, 'PUT, PATCH, DELETE, OPTIONS']);
    const all = await exchange(port, 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(field(all, 'allow')).toBe('GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  });
});

describe('fields every response has', () => {
  test('date, content type and length', async () => {
    // A timer updates the date and may be late.
    const before = Math.floor((Date.now() - 500) / 1000) * 1000;
    const response = await exchange(port, get('/json'));
    const date = Date.parse(field(response, 'date')!);
    expect(date).toBeGreaterThanOrEqual(before);
    expect(date).toBeLessThanOrEqual(Date.now());
    expect(field(response, 'content-type')).toBe('application/json');
    expect(field(response, 'content-length')).toBe('27');
    expect(response.statusLine).toBe('HTTP/1.1 200 OK');
  });

  test('the date is current for each response', async () => {
    const dateOf = async () => Date.parse(field(await exchange(port, get('/json')), 'date')!);
    const first = await dateOf();
    await until(async () => (await dateOf()) > first, 'a later date');
    expect(Date.now() - (await dateOf())).toBeLessThan(2_000);
  });
});

describe('connections', () => {
  test('stay open under HTTP/1.1', async () => {
    const client = await RawClient.open(port);
    for (let i = 0; i < 3; i++) {
      client.write(get(`/sync/${i}`));
      expect((await client.response()).body.toString()).toBe(String(i));
    }
    client.destroy();
  });

  test('close when the client says so', async () => {
    const client = await RawClient.open(port);
    client.write(get('/json', 'Connection: close') + get('/json'));
    const response = await client.response();
    expect(field(response, 'connection')).toBe('close');
    await client.closed();
    expect(client.pending.length).toBe(0);
  });

  test('close by default and stay on request under HTTP/1.0', async () => {
    const client = await RawClient.open(port);
    client.write('GET /json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(field(await client.response(), 'connection')).toBe('keep-alive');
    client.write('GET /json HTTP/1.0\r\n\r\n');
    expect(field(await client.response(), 'connection')).toBe('close');
    await client.closed();
  });

  test('send the response to a client that has ended its side', async () => {
    const client = await RawClient.open(port, { allowHalfOpen: true });
    client.socket.end(get('/later/20/late'));
    expect((await client.response()).body.toString()).toBe('late');
    await client.closed();
  });
});

describe('bodies', () => {
  test('with a content-length', async () => {
    const response = await exchange(port, post('/echo', 'hello', 'Content-Type: text/x-hello'));
    expect(response.body.toString()).toBe('hello');
    expect(field(response, 'content-type')).toBe('text/x-hello');
  });

  test('in chunks, with extensions and a trailer that is discarded', async () => {
    const chunked =
      'POST /request/1 HTTP/1.1\r\nHost: x\r\nX-Test: yes\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '5;ext=1\r\nhello\r\n7\r\n, world\r\n0\r\nX-Test: trailer\r\n\r\n';
    const client = await RawClient.open(port);
    client.write(chunked + get('/json'));
    const { body } = await client.response();
    expect(JSON.parse(body.toString())).toMatchObject({ body: 'hello, world', header: 'yes' });
    expect((await client.response()).status).toBe(200);
    client.destroy();
  });

  test('that wait for 100 Continue get it', async () => {
    const client = await RawClient.open(port);
    client.write('POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    expect((await client.response()).statusLine).toBe('HTTP/1.1 100 Continue');
    client.write('ok');
    expect((await client.response()).body.toString()).toBe('ok');
    client.destroy();
  });

  test('that wait for 100 Continue behind another request get it after its response', async () => {
    const client = await RawClient.open(port);
    client.write(
      `${get('/later/30/first')}POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
    );
    expect((await client.response()).body.toString()).toBe('first');
    expect((await client.response()).statusLine).toBe('HTTP/1.1 100 Continue');
    client.write('ok');
    expect((await client.response()).body.toString()).toBe('ok');
    client.destroy();
  });

  test('of no bytes', async () => {
    expect((await exchange(port, post('/length', ''))).body.toString()).toBe('{"length":0}');
  });
});

describe('the HTTP thread itself responds with', () => {
  test('404', async () => {
    const response = await exchange(port, get('/nowhere'));
    expect([response.status, code(response.body)]).toEqual([404, 'NOT_FOUND']);
  });

  test('405 with Allow', async () => {
    const response = await exchange(port, post('/json', '{}'));
    expect([response.status, code(response.body)]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(field(response, 'allow')).toBe('GET, HEAD, OPTIONS');
  });

  test.each([
    ['a broken request line', 'GARBAGE\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['a folded field', 'GET /json HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
    ['two lengths', 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length with an encoding',
      'POST /echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a negative length', 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
    ['a bad chunk', 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a bad percent-encoding', 'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('400 for %s', async (_name, bytes) => {
    const response = await exchange(port, bytes);
    expect(response.status).toBe(400);
  });

  test('400 that closes the connection, after pending responses', async () => {
    const client = await RawClient.open(port);
    client.write(`${get('/later/30/first')}NOT HTTP\r\n\r\n`);
    expect((await client.response()).body.toString()).toBe('first');
    const refused = await client.response();
    expect([refused.status, field(refused, 'connection')]).toEqual([400, 'close']);
    await client.closed();
  });

  test('413 before the body has arrived, and while it arrives in chunks', async () => {
    const announced = await exchange(port, 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n');
    expect([announced.status, code(announced.body)]).toEqual([413, 'BODY_TOO_LARGE']);
    const chunk = `${(600_000).toString(16)}\r\n${'x'.repeat(600_000)}\r\n`;
    const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect((await exchange(port, head + chunk + chunk)).status).toBe(413);
  });

  test('414 and 431', async () => {
    expect((await exchange(port, get(`/${'x'.repeat(8_192)}`))).status).toBe(414);
    expect((await exchange(port, get(`/sync/${'x'.repeat(8_000)}`))).status).toBe(200);
    expect((await exchange(port, get('/json', `X-Long: ${'x'.repeat(25_000)}`))).status).toBe(431);
    const many = Array.from({ length: 100 }, (_, i) => `X-${i}: ${i}`);
    expect((await exchange(port, get('/json', ...many))).status).toBe(431);
    expect((await exchange(port, get('/json', ...many.slice(1)))).status).toBe(200);
  });

  test('501 and 505', async () => {
    expect((await exchange(port, 'PROPFIND /json HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(501);
    expect((await exchange(port, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(501);
    expect((await exchange(port, 'GET /json HTTP/2.0\r\nHost: x\r\n\r\n')).status).toBe(505);
  });

  test('the normal response to an upgrade request without a listener', async () => {
    const client = await RawClient.open(port);
    client.write(get('/json', 'Connection: Upgrade', 'Upgrade: websocket') + get('/text'));
    expect((await client.response()).status).toBe(200);
    expect((await client.response()).body.toString()).toBe('grüße');
    client.destroy();
  });
});
