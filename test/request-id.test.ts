import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exchange, field, get } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
let running: TestServer;

beforeAll(async () => {
  running = await startServer({ requestId: true }, 'representations.js');
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

async function ask(path: string, ...fields: string[]) {
  const response = await exchange(running.port, get(path, ...fields));
  return { response, sent: field(response, 'x-request-id') };
}

test.each(['abc', 'a'.repeat(128), '!~', '7f3c,x="y"'])('accepts %s', async (id) => {
  const { response, sent } = await ask('/id', `X-Request-Id: ${id}`);
  expect(sent).toBe(id);
  expect(JSON.parse(response.body.toString())).toEqual({ id, again: id });
});

test.each(['', 'a'.repeat(129), 'two words', 'ü', 'tab\there'])('replaces %p by a UUID', async (id) => {
  const { response, sent } = await ask('/id', `X-Request-Id: ${id}`);
  expect(sent).toMatch(UUID);
  expect(JSON.parse(response.body.toString())).toEqual({ id: sent, again: sent });
});

test('replaces a repeated header', async () => {
  expect((await ask('/id', 'X-Request-Id: a', 'X-Request-Id: b')).sent).toMatch(UUID);
});

test('generates an ID for each request without one', async () => {
  const [one, other] = [await ask('/id'), await ask('/id')];
  expect(one.sent).toMatch(UUID);
  expect(other.sent).not.toBe(one.sent);
});

test('failures and the log have the ID', async () => {
  const { response, sent } = await ask('/id-fails', 'X-Request-Id: failing');
  expect([response.status, sent]).toEqual([500, 'failing']);
  await until(() => running.logged.length > 0, 'the log');
  expect(running.logged.at(-1)!.details.req).toMatchObject({ id: 'failing' });
});

test('streams and responses without a body have the ID', async () => {
  const response = await fetch(`http://127.0.0.1:${running.port}/id-stream`, { headers: { 'x-request-id': 's' } });
  expect([response.headers.get('x-request-id'), await response.text()]).toEqual(['s', 's']);
  expect((await ask('/fresh', 'X-Request-Id: n', 'If-None-Match: "v1"')).sent).toBe('n');
});

test('the access log has the ID', async () => {
  const logging = await startServer({ requestId: true, accessLog: true, ...ONE_HTTP_THREAD }, 'representations.js');
  await exchange(logging.port, get('/id', 'x-request-id: mine'));
  await exchange(logging.port, get('/static', 'x-request-id: mine'));
  const lines = logging.logged.filter(({ message }) => message === 'request answered');
  expect(lines.map(({ details }) => details.id)).toEqual(['mine', 'mine']);
  const made = await exchange(logging.port, get('/id', 'x-request-id: a', 'x-request-id: b'));
  const { details } = logging.logged.findLast(({ message }) => message === 'request answered')!;
  expect(details.id).toBe(JSON.parse(made.body.toString()).id);
  await logging.server.close();
});

describe('the option', () => {
  test('can name another header', async () => {
    const other = await startServer({ requestId: { header: 'X-Trace' } }, 'representations.js');
    const response = await exchange(other.port, get('/id', 'x-trace: t', 'x-request-id: r'));
    expect([field(response, 'x-trace'), field(response, 'x-request-id')]).toEqual(['t', undefined]);
    expect(JSON.parse(response.body.toString()).id).toBe('t');
    await other.server.close();
  });

  test('is off by default', async () => {
    const off = await startServer({}, 'representations.js');
    const response = await exchange(off.port, get('/id', 'x-request-id: r'));
    expect(field(response, 'x-request-id')).toBeUndefined();
    expect(JSON.parse(response.body.toString()).id).not.toBe('r');
    await off.server.close();
  });

  test.each([{ header: 'two words' }, { header: 'content-length' }, { header: '' }, { name: 'x' }, 'yes'])(
    'cannot be %j',
    async (requestId) => {
      await expect(startServer({ requestId: requestId as never })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    },
  );
});
