import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { Program, root } from './support/process.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';
import { Stage } from './support/stage.js';

let running: TestServer | undefined;
let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(async () => {
  stage.end();
  if (running === undefined) return;
  await expectConserved(running);
  await running.server.close();
  running = undefined;
});

test('logs a line for each response that was sent, in the order of the responses', async () => {
  running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD });
  const client = await RawClient.open(running.port);
  client.write(
    `${get('/later/30/x?a=1')}${get('/large/300000')}${get('/nowhere')}HEAD /json HTTP/1.1\r\nHost: x\r\n\r\nBAD\r\n\r\n`,
  );
  await client.closed();
  await until(() => running!.logged.length === 5, 'five lines');
  const received = client.pending.length;
  client.destroy();
  const lines = running.logged.map(({ level, message, details }) => ({ level, message, ...details }));
  const common = { level: 'info', message: 'request answered' };
  expect(lines).toMatchObject([
    { ...common, id: '0-1', method: 'GET', target: '/later/30/x?a=1', status: 200 },
    { ...common, id: '0-2', method: 'GET', target: '/large/300000', status: 200 },
    { ...common, id: undefined, method: 'GET', target: '/nowhere', status: 404 },
    { ...common, id: '0-3', method: 'HEAD', target: '/json', status: 200 },
    { ...common, id: undefined, method: null, target: null, status: 400 },
  ]);
  const durations = lines.map((line) => Number((line as Record<string, unknown>).durationMs));
  expect(durations[0]).toBeGreaterThan(28);
  expect(durations.every((ms) => ms >= 0 && ms < 10_000)).toBe(true);
  const bytes = lines.map((line) => Number((line as Record<string, unknown>).bytes));
  expect(bytes.reduce((sum, one) => sum + one)).toBe(received);
});

test('logs nothing without the option', async () => {
  running = await startServer({ shards: 1 });
  expect((await exchange(running.port, get('/json'))).status).toBe(200);
  expect(running.logged).toEqual([]);
});

/** Returns the only line so far. */
async function line(): Promise<Record<string, unknown>> {
  await until(() => running!.logged.length > 0, 'the line');
  expect(running!.logged).toHaveLength(1);
  const [{ details, message }] = running!.logged;
  return { message, ...details };
}

describe('marks an incomplete response', () => {
  test('if the client disconnects before it', async () => {
    running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD });
    const client = await RawClient.open(running.port);
    client.write(get('/later/50/x'));
    await until(() => running!.server.stats().shards[0].requests === 1, 'the start of the handler');
    client.socket.resetAndDestroy();
    expect(await line()).toMatchObject({
      message: 'request aborted',
      id: '0-1',
      method: 'GET',
      target: '/later/50/x',
      status: null,
      bytes: 0,
      aborted: true,
    });
  });

  test('if the client disconnects in the middle of a stream', async () => {
    running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD }, 'streams.js');
    const client = await RawClient.open(running.port);
    client.write(get('/ticks?name=x'));
    await until(() => client.pending.toString('latin1').split('tick').length > 10, 'a part of the response');
    const received = client.pending.length;
    client.destroy();
    const { bytes, ...rest } = await line();
    expect(rest).toMatchObject({
      message: 'request aborted',
      id: '0-1',
      target: '/ticks?name=x',
      status: 200,
      aborted: true,
    });
    expect(bytes).toBeGreaterThanOrEqual(received);
  });

  test('if the client stops reading a large one', async () => {
    running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD });
    const client = await RawClient.open(running.port);
    client.socket.pause();
    client.write(get('/large/900000').toString().repeat(8));
    await until(() => running!.server.stats().shards[0].requests >= 2, 'the requests');
    await until(() => running!.server.stats().outstanding === 0, 'the responses');
    client.destroy();
    await until(() => running!.logged.some(({ details }) => details.aborted === true), 'the line');
    await until(() => running!.server.stats().connections === 0, 'the end');
    for (const { details } of running.logged) expect(details).toMatchObject({ target: '/large/900000' });
  });

  test('if the handler closes the connection', async () => {
    running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD });
    const client = await RawClient.open(running.port);
    client.write(get('/destroy'));
    await client.closed();
    expect(await line()).toMatchObject({ target: '/destroy', status: null, bytes: 0, aborted: true });
  });
});

test('logs a stream once its last byte has been sent, with all bytes and the complete duration', async () => {
  running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD }, 'streams.js');
  const client = await RawClient.open(running.port);
  client.write(get('/slow-first/60'));
  await until(() => client.pending.includes('first'), 'the first chunk');
  expect(running.logged).toEqual([]);
  await until(() => client.pending.includes('\r\n0\r\n\r\n'), 'the end');
  const { bytes, durationMs, ...rest } = await line();
  expect(rest).toEqual({
    message: 'request answered',
    id: '0-1',
    ip: '127.0.0.1',
    method: 'GET',
    target: '/slow-first/60',
    status: 200,
  });
  expect(bytes).toBe(client.pending.length);
  expect(durationMs).toBeGreaterThan(50);
  client.destroy();
});

test('logs method and target of rejected requests whose head has arrived, and the request ID with requestId', async () => {
  running = await startServer({
    shards: 1,
    accessLog: true,
    requestId: true,
    limits: { maxBodyBytes: 10 },
    timeouts: { requestTimeoutMs: 300 },
    ...ONE_HTTP_THREAD,
  });
  const { port } = running;
  const ask = async (request: string | Buffer) => {
    const before = running!.logged.length;
    const answer = await exchange(port, request);
    await until(() => running!.logged.length > before, 'the line');
    const { id, method, target, status } = running!.logged.at(-1)!.details;
    expect(field(answer, 'x-request-id')).toBe(id);
    expect(status).toBe(answer.status);
    return { id, method, target, status };
  };
  const any = expect.stringMatching(/^[0-9a-f-]{36}$/);
  const named = 'X-Request-Id: mine';
  expect(await ask(get('/nowhere?a=1', named))).toEqual({
    id: 'mine',
    method: 'GET',
    target: '/nowhere?a=1',
    status: 404,
  });
  expect(await ask(get('/nowhere'))).toEqual({ id: any, method: 'GET', target: '/nowhere', status: 404 });
  expect(await ask(`PATCH /json HTTP/1.1\r\nHost: x\r\n${named}\r\n\r\n`)).toEqual({
    id: 'mine',
    method: 'PATCH',
    target: '/json',
    status: 405,
  });
  expect(await ask(post('/echo', 'x'.repeat(11), named))).toEqual({
    id: 'mine',
    method: 'POST',
    target: '/echo',
    status: 413,
  });
  const chunked = `POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n${named}\r\n\r\n`;
  expect(await ask(`${chunked}b\r\nhello world\r\n0\r\n\r\n`)).toEqual({
    id: 'mine',
    method: 'POST',
    target: '/echo',
    status: 413,
  });
  expect(await ask(`${chunked}nonsense\r\n`)).toEqual({ id: 'mine', method: 'POST', target: '/echo', status: 400 });
  expect(await ask(`GET /json HTTP/1.1\r\n${named}\r\n\r\n`)).toMatchObject({
    method: 'GET',
    target: '/json',
    status: 400,
  });
  expect(await ask(`BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatchObject({
    method: null,
    status: expect.any(Number),
  });
  expect(await ask('GET nonsense\r\n\r\n')).toEqual({ id: any, method: null, target: null, status: 400 });
  // The head arrives in pieces, and the body never.
  const slow = await RawClient.open(port);
  slow.write(`POST /echo?slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n${named}\r\n`);
  await new Promise((resolve) => setImmediate(resolve));
  slow.write('\r\nab');
  expect((await slow.response()).status).toBe(408);
  await until(() => running!.logged.at(-1)!.details.status === 408, 'the line');
  expect(running.logged.at(-1)!.details).toMatchObject({ id: 'mine', method: 'POST', target: '/echo?slow' });
  slow.destroy();
});

test('logs the address of the client behind trusted proxies', async () => {
  for (const [trustProxy, ip] of [
    [false, '127.0.0.1'],
    [true, '198.51.100.7'],
  ] as const) {
    running = await startServer({ shards: 1, accessLog: true, trustProxy, ...ONE_HTTP_THREAD });
    await exchange(running.port, get('/json', 'X-Forwarded-For: 198.51.100.7'));
    expect(await line()).toMatchObject({ ip });
    await running.server.close();
  }
  running = undefined;
});

/** Returns the logged ID of the request with this ID in its path. */
function logged(id: string): unknown {
  const targets = running!.logged.filter(({ details }) => String(details.target).split('?')[0].endsWith(`/${id}`));
  expect(targets).toHaveLength(1);
  return targets[0].details.id;
}

test('logs the ID that the handler saw, even if another shard stole the request', async () => {
  running = await startServer(
    { shards: 2, scheduling: { dispatch: 'round-robin' }, accessLog: true, ...ONE_HTTP_THREAD },
    'scheduling-app.js',
  );
  const blocking = await stage.send(running, '/hold/block');
  await until(() => stage.started.length === 1, 'the handler that blocks');
  const ids = Array.from({ length: 10 }, (_, i) => `r${i}`);
  for (const id of ids) await (await stage.send(running, `/run/${id}`)).response;
  for (const id of ['s0', 's1']) {
    const { client } = await stage.send(running, `/stream/${id}`);
    await until(() => client.pending.includes('\r\n0\r\n\r\n'), 'the stream');
    ids.push(id);
  }
  stage.release('block');
  await blocking.response;
  expect(running.server.stats().shards.reduce((sum, { steals }) => sum + steals, 0)).toBeGreaterThanOrEqual(6);
  expect(ids.map(logged)).toEqual(ids.map((id) => stage.nameOf(id)));
  expect(logged('block')).toBe(stage.nameOf('block'));
});

test('logs the ID if the server responds in place of the handler, and none if no handler was started', async () => {
  running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD }, 'scheduling-app.js');
  expect((await (await stage.send(running, '/limited/ignore/slow')).response).status).toBe(504);
  expect(logged('slow')).toBe(stage.nameOf('slow'));
  const dying = await stage.send(running, '/die/dying');
  await until(() => stage.started.includes('dying'), 'the start');
  expect((await (await stage.send(running, '/late/waiting')).response).status).toBe(503);
  expect(logged('waiting')).toBeUndefined();
  stage.release('dying', 'slow');
  expect((await dying.response).status).toBe(502);
  expect(logged('dying')).toBe(stage.nameOf('dying'));
  await until(() => running!.server.stats().shards[0].state === 'ready', 'the replacement');
});

test('writes the lines to standard error with pino if no logger is passed', async () => {
  const script = `
    import { serve } from 'loopshard';
    const server = await serve('test/fixtures/app.js', { port: 0, httpThreads: 1, shards: 1, accessLog: true });
    await (await fetch('http://127.0.0.1:' + server.address().port + '/json')).text();
    await server.close();`;
  const program = new Program(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  expect(await program.exit()).toBe(0);
  const line = JSON.parse(program.stderr);
  expect(line).toMatchObject({
    level: 30,
    name: 'loopshard',
    ip: '127.0.0.1',
    method: 'GET',
    target: '/json',
    status: 200,
    id: '0-1',
  });
});
