import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp } from 'loopshard';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer({ shards: 1, memory: { slotBytes: 4_096 } });
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const rows = (count: number) => Array.from({ length: count }, (_, id) => ({ id, name: `row "${id}"` }));

describe('routes with a response schema', () => {
  test('write the properties that the schema names', async () => {
    const response = await exchange(port, get('/schema/7'));
    expect(field(response, 'content-type')).toBe('application/json');
    expect(response.body.toString()).toBe('{"id":7,"name":"row \\"7\\""}');
  });

  test('write responses that fit into the slot, and larger ones', async () => {
    const client = await RawClient.open(port);
    for (const count of [0, 1, 100, 110, 115, 120, 125, 130, 140, 150, 5_000]) {
      client.write(get(`/schema-rows/${count}`));
      expect((await client.response()).body.toString()).toBe(JSON.stringify(rows(count)));
    }
    client.write('HEAD /schema-rows/5000 HTTP/1.1\r\nHost: x\r\n\r\n');
    const head = await client.response({ hasBody: false });
    expect(field(head, 'content-length')).toBe(String(JSON.stringify(rows(5_000)).length));
    client.write(get('/schema/1'));
    expect((await client.response()).status).toBe(200);
    client.destroy();
  });

  test('send bytes unchanged', async () => {
    expect((await exchange(port, get('/schema-bytes'))).body.toString()).toBe('as it is');
  });

  test('fail on a value that does not match, and log its path', async () => {
    expect((await exchange(port, get('/schema-mismatch'))).status).toBe(500);
    const { err } = running.logged.at(-1)!.details;
    expect(err).toMatchObject({ code: 'VALUE_MISMATCH', message: expect.stringContaining('name') });
  });

  test('are checked when they are defined', () => {
    const wrong = { response: { type: 'nonsense' } };
    expect(() => createApp().get('/x', wrong as never, () => 1)).toThrow(
      expect.objectContaining({
        code: 'SCHEMA_INVALID',
        message: expect.stringMatching(/^Response schema of GET \/x: /),
      }),
    );
    expect(() => createApp().get('/x', { respond: {} } as never, () => 1)).toThrow(
      expect.objectContaining({ code: 'ROUTE_INVALID', message: expect.stringContaining('Unknown option `respond`') }),
    );
  });
});

describe('res.writer()', () => {
  test.each([0, 1, 60, 80, 90, 100, 2_000])('writes %d rows, in the slot or beyond it', async (count) => {
    const response = await exchange(port, get(`/writer/${count}`));
    expect([response.status, field(response, 'x-rows')]).toEqual([201, String(count)]);
    const expected = Array.from({ length: count }, (_, id) => ({ id, vector: [id, 0.5] }));
    expect(response.body.toString()).toBe(JSON.stringify(expected));
  });

  test.each([
    ['/writer-unfinished', 'NESTING_INVALID'],
    ['/writer-bodiless', 'RESPONSE_INVALID'],
    ['/writer-and-value', 'RESPONSE_INVALID'],
    ['/writer-in-getter', 'RESPONSE_INVALID'],
    ['/writer-in-getter-schema', 'RESPONSE_INVALID'],
    ['/writer-in-getter-compressed', 'RESPONSE_INVALID'],
    ['/writer-in-tojson', 'RESPONSE_INVALID'],
    ['/writer-in-stream', 'RESPONSE_INVALID'],
    ['/writer-then-header', 'HEADER_INVALID'],
  ])('%s gets 500', async (target, code) => {
    const response = await exchange(port, get(target));
    expect([response.status, JSON.parse(response.body.toString()).code]).toEqual([500, 'HANDLER_FAILED']);
    expect(running.logged.at(-1)!.details.err).toMatchObject({ code });
  });

  test('cannot be used once the response was sent', async () => {
    expect((await exchange(port, get('/writer-then-throw'))).status).toBe(500);
    expect(JSON.parse((await exchange(port, get('/writer-kept'))).body.toString())).toEqual({
      code: 'NESTING_INVALID',
    });
  });
});
