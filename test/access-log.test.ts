import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
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

test('a line for each answer, in the order of the answers', async () => {
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
  // The last answer has a field more, which says that the connection is closed.
  expect(bytes.reduce((sum, one) => sum + one)).toBe(received - 'connection: close\r\n'.length);
});

test('no line without the option, nor for an answer that nobody waited for', async () => {
  running = await startServer({ shards: 1 });
  expect((await exchange(running.port, get('/json'))).status).toBe(200);
  expect(running.logged).toEqual([]);
  await running.server.close();
  running = await startServer({ shards: 1, accessLog: true, ...ONE_HTTP_THREAD });
  const client = await RawClient.open(running.port);
  client.write(get('/later/50/x'));
  await until(() => running!.server.stats().outstanding === 1, 'the request');
  client.socket.resetAndDestroy();
  await until(() => running!.server.stats().connections === 0, 'the end of the connection');
  await expectConserved(running);
  expect(running.logged).toEqual([]);
});

/** The id that the log has of a request, by the request's id in its path. */
function logged(id: string): unknown {
  const targets = running!.logged.filter(({ details }) => String(details.target).split('?')[0].endsWith(`/${id}`));
  expect(targets).toHaveLength(1);
  return targets[0].details.id;
}

test('the id is the one that the handler has seen, whichever shard has stolen the request', async () => {
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

test('also when the server answers in place of the handler; without a handler there is none', async () => {
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

test('without a logger, pino writes the lines to standard error', async () => {
  const script = `
    import { serve } from 'loopshard';
    const server = await serve('test/fixtures/app.js', { port: 0, httpThreads: 1, shards: 1, accessLog: true });
    await (await fetch('http://127.0.0.1:' + server.address().port + '/json')).text();
    await server.close();`;
  const program = new Program(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  expect(await program.exit()).toBe(0);
  const line = JSON.parse(program.stderr);
  expect(line).toMatchObject({ level: 30, name: 'loopshard', method: 'GET', target: '/json', status: 200, id: '0-1' });
});
