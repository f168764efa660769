import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exchange, field, get, post } from './support/client.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

let running: TestServer;

beforeAll(async () => {
  running = await startServer({}, 'representations.js');
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const ask = (path: string, ...fields: string[]) => exchange(running.port, get(path.replaceAll('"', '%22'), ...fields));
const tag = async (path: string) => field(await ask(path), 'etag');
const strong = (body: string) => `"${createHash('sha256').update(body).digest('base64url')}"`;

describe('the tag', () => {
  test.each([
    ['v1', '"v1"'],
    ['"v1"', '"v1"'],
    ['W/"v1"', 'W/"v1"'],
    ['v1&weak', 'W/"v1"'],
    ['"v1"&weak', 'W/"v1"'],
    ['W/"v1"&weak', 'W/"v1"'],
    ['', '""'],
  ])('of %s is %s', async (value, wanted) => {
    expect(await tag(`/tag?value=${value}`)).toBe(wanted);
  });

  test.each(['two%20words', 'a"b', '%0Ax', '%22open'])('rejects %s', async (value) => {
    expect((await ask(`/tag?value=${value}`)).status).toBe(500);
    expect(running.logged.at(-1)!.details.err).toMatchObject({ code: 'HEADER_INVALID' });
  });

  test('of a body is strong, and the same for the same body', async () => {
    const { body } = await ask('/tag');
    expect(await tag('/tag')).toBe(strong(body.toString()));
    expect(await tag('/tag-writer')).toBe(strong('[1]'));
  });

  test('of a body in an extent', async () => {
    const { body, ...response } = await ask('/tag-large');
    expect(body.length).toBeGreaterThan(100_000);
    expect(field({ ...response, body }, 'etag')).toBe(strong(body.toString()));
  });

  test('of a stream must be set by the handler', async () => {
    const client = await fetch(`http://127.0.0.1:${running.port}/tag-stream`);
    expect([client.headers.get('etag'), await client.text()]).toEqual(['"v1"', 'streamed']);
    expect((await ask('/tag-stream-computed')).status).toBe(500);
  });
});

describe('If-None-Match', () => {
  test.each([
    ['"v1"', '/tag?value=v1'],
    ['W/"v1"', '/tag?value=v1'],
    ['"v1"', '/tag?value=v1&weak'],
    ['"v0", "v1"', '/tag?value=v1'],
    ['"v0",W/"v1" , "v2"', '/tag?value=v1'],
    ['"a,b"', '/tag?value=a,b'],
    ['*', '/tag?value=v1'],
    ['"v1"', '/fresh'],
    ['"v1"', '/tag-stream'],
    ['"v1"', '/tag-status/200'],
  ])('%s for %s gets 304 without a body', async (sent, path) => {
    const response = await ask(path, `If-None-Match: ${sent}`);
    expect(response.status).toBe(304);
    expect(response.fields.map(([name]) => name)).toEqual(['date', 'connection', 'keep-alive', 'etag']);
  });

  test.each([
    ['"v2"', '/tag?value=v1', 200],
    ['v1', '/tag?value=v1', 200],
    ['"V1"', '/tag?value=v1', 200],
    ['"v"', '/tag?value=v1', 200],
    ['', '/tag?value=v1', 200],
    ['"v2"', '/fresh', 200],
    ['"v1"', '/tag-status/201', 201],
    ['"v1"', '/tag-status/404', 404],
  ])('%s for %s: %d', async (sent, path, status) => {
    const response = await ask(path, `If-None-Match: ${sent}`);
    expect(response.status).toBe(status);
    expect(response.body.length).toBeGreaterThan(0);
  });

  test('matches a computed tag, and the 304 has the right headers', async () => {
    const response = await ask('/tag', `If-None-Match: ${await tag('/tag')}`);
    expect(response.status).toBe(304);
    expect(response.fields.map(([name]) => name)).toEqual([
      'date',
      'connection',
      'keep-alive',
      'cache-control',
      'etag',
    ]);
  });

  test('may be repeated', async () => {
    expect((await ask('/tag?value=v1', 'If-None-Match: "a"', 'If-None-Match: "v1"')).status).toBe(304);
  });

  test('applies to HEAD, but to no other method', async () => {
    const head = get('/tag?value=v1', 'If-None-Match: "v1"').replace('GET', 'HEAD');
    expect((await exchange(running.port, head, false)).status).toBe(304);
    const posted = await exchange(running.port, post('/tag', '', 'If-None-Match: "v1"'));
    expect([posted.status, posted.body.toString(), field(posted, 'etag')]).toEqual([200, 'posted', '"v1"']);
  });
});

describe('static routes', () => {
  test('have a strong tag', async () => {
    expect(await tag('/static')).toBe(strong('{"always":"the same"}'));
  });

  test('and respond with 304 to clients that have it, for GET and HEAD', async () => {
    const etag = strong('{"always":"the same"}');
    for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      for (const method of ['GET', 'HEAD']) {
        const bytes = get('/static', `If-None-Match: ${sent}`).replace('GET', method);
        const response = await exchange(running.port, bytes, method === 'GET');
        expect([response.status, field(response, 'etag'), field(response, 'content-length')]).toEqual([
          304,
          etag,
          undefined,
        ]);
      }
    }
    expect((await ask('/static', 'If-None-Match: "other"')).status).toBe(200);
    const head = await exchange(running.port, get('/static').replace('GET', 'HEAD'), false);
    expect([head.status, field(head, 'etag')]).toEqual([200, etag]);
  });
});
