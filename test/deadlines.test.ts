import { expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { field, get, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { outcome, useStage } from './support/stage.js';

/** Maximum time of an abort, with a margin for busy machines. */
const PROMISED_MS = 50;
const PATIENCE_MS = 200;

const scene = useStage();

async function start(options: ServeOptions = {}): Promise<void> {
  scene.running = await startServer({ shards: 1, ...options }, 'scheduling-app.js');
}

async function block() {
  const blocking = await scene.stage.send(scene.running, '/hold/block');
  await until(() => scene.stage.started.includes('block'), 'the handler that blocks');
  return blocking;
}

const queued = () => scene.running.server.stats().shards[0].queued;

test('a request that is queued for too long gets 503 and is never started', async () => {
  await start();
  const blocking = await block();
  const begin = performance.now();
  const response = await (await scene.stage.send(scene.running, '/late/a')).response;
  const took = performance.now() - begin;
  expect(await outcome(response)).toEqual([503, 'QUEUE_TIMEOUT']);
  expect(field(response, 'retry-after')).toBe('1');
  expect(took).toBeGreaterThanOrEqual(99);
  expect(took).toBeLessThan(100 + PATIENCE_MS);
  scene.stage.release('block');
  expect((await blocking.response).status).toBe(200);
  expect((await (await scene.stage.send(scene.running, '/late/b')).response).status).toBe(200);
  expect(scene.stage.started).toEqual(['block', 'b']);
  expect(scene.running.server.stats().refused).toEqual({ QUEUE_TIMEOUT: 1 });
});

test.each(['/impatient', '/impatient/stream'])(
  'a request that waits for a permit for too long gets 503 while nothing else happens (%s)',
  async (path) => {
    await start();
    const first = await scene.stage.send(scene.running, `${path}/a`);
    await until(() => scene.stage.started.includes('a'), 'the start');
    // The deadline of the first request has passed, and no other is pending.
    const since = performance.now();
    await until(() => performance.now() - since > 250, 'silence');
    const begin = performance.now();
    expect(await outcome((await scene.stage.send(scene.running, `${path}/b`)).response)).toEqual([
      503,
      'QUEUE_TIMEOUT',
    ]);
    expect(performance.now() - begin).toBeLessThan(100 + PATIENCE_MS);
    scene.stage.release('a');
    if (path === '/impatient') expect((await first.response).status).toBe(200);
    else await until(() => first.client.pending.includes('\r\n0\r\n\r\n'), 'the end of the stream');
  },
);

test('a request that was claimed but not started in time gets 503, between other responses', async () => {
  await start();
  await until(() => scene.running.server.stats().shards[0].parks > 0, 'the shard to sleep');
  const client = await RawClient.open(scene.running.port);
  const paths = ['/hold/block', '/run/before', '/late/a', '/run/behind', '/late/b'];
  client.write(paths.map((path) => get(scene.stage.target(path))).join(''));
  await until(() => scene.stage.started.length === 1 && queued() === 0, 'one claim of all requests');
  await until(() => scene.running.server.stats().refused.QUEUE_TIMEOUT === 2, 'two timeouts');
  scene.stage.release('block');
  const outcomes = [];
  for (let i = 0; i < 5; i++) outcomes.push(await outcome(client.response()));
  const late = [503, 'QUEUE_TIMEOUT'];
  expect(outcomes).toEqual([[200, undefined], [200, undefined], late, [200, undefined], late]);
  expect(scene.stage.started).toEqual(['block', 'before', 'behind']);
  expect(scene.running.server.stats().shards[0].requests).toBe(3);
  client.destroy();
});

test('the shard starts no request after its deadline, even while the HTTP thread is blocked', async () => {
  await start();
  const blocking = await block();
  const late = await scene.stage.send(scene.running, '/late/a');
  await until(() => queued() === 1, 'the request to wait');
  // The HTTP thread is blocked while the time runs out and the shard gets to the request.
  const begin = performance.now();
  while (performance.now() - begin < 150);
  scene.stage.release('block');
  while (performance.now() - begin < 400);
  expect((await blocking.response).status).toBe(200);
  expect(await outcome(late.response)).toEqual([503, 'QUEUE_TIMEOUT']);
  expect(scene.stage.started).toEqual(['block']);
});

test("the server's queueTimeoutMs applies to routes without one, and to the not-found handler", async () => {
  await start({ timeouts: { queueTimeoutMs: 60 } });
  const blocking = await block();
  expect(await outcome((await scene.stage.send(scene.running, '/run/a')).response)).toEqual([503, 'QUEUE_TIMEOUT']);
  scene.stage.release('block');
  expect((await blocking.response).status).toBe(200);
});

test('a handler that takes too long gets 504, and its signal is aborted', async () => {
  await start();
  const begin = performance.now();
  const response = await (await scene.stage.send(scene.running, '/limited/a')).response;
  const took = performance.now() - begin;
  expect(await outcome(response)).toEqual([504, 'HANDLER_TIMEOUT']);
  expect(field(response, 'content-type')).toBe('application/json');
  expect(took).toBeGreaterThanOrEqual(99);
  expect(took).toBeLessThan(100 + PATIENCE_MS);
  await until(() => scene.stage.aborted.includes('a'), 'the abort');
  expect(performance.now() - begin).toBeLessThan(100 + PROMISED_MS + PATIENCE_MS);
});

test('permit and slot of a handler that ignores the signal are released, and its response is discarded', async () => {
  await start({ scheduling: { permits: 1 } });
  const client = await RawClient.open(scene.running.port);
  client.write(get(scene.stage.target('/limited/ignore/a')) + get(scene.stage.target('/run/b')));
  expect(await outcome(client.response())).toEqual([504, 'HANDLER_TIMEOUT']);
  // It holds the only permit.
  expect(JSON.parse((await client.response()).body.toString()).id).toBe('b');
  const { slots, shards } = scene.running.server.stats();
  expect([slots.total - slots.free, shards[0].permits.available, shards[0].abandoned]).toEqual([0, 1, 1]);
  scene.stage.release('a');
  await until(() => scene.running.server.stats().shards[0].abandoned === 0, 'the end of the handler');
  await expectConserved(scene.running);
  expect(client.pending).toHaveLength(0);
  client.destroy();
});

test('a handler that settles while the HTTP thread is blocked does not get 504', async () => {
  await start(ONE_HTTP_THREAD);
  const sent = await scene.stage.send(scene.running, '/limited/a');
  await until(() => scene.stage.started.includes('a'), 'the start');
  scene.stage.release('a');
  // The HTTP thread is this thread. The handler has 100 ms, and settles within a few of them.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  expect((await sent.response).status).toBe(200);
  expect(scene.running.server.stats().refused).toEqual({});
  await expectConserved(scene.running);
});

test('a handler that blocks its thread gets 504 as well', async () => {
  await start();
  expect(await outcome((await scene.stage.send(scene.running, '/limited/hold/a')).response)).toEqual([
    504,
    'HANDLER_TIMEOUT',
  ]);
  scene.stage.release('a');
});

test('the handler timeout begins when the handler starts', async () => {
  await start();
  const blocking = await block();
  const { response } = await scene.stage.send(scene.running, '/limited/a');
  await until(() => queued() === 1, 'the request to wait');
  await until(() => scene.running.server.stats().shards[0].queueAgeMs > 150, 'a long wait');
  scene.stage.release('block', 'a');
  expect((await blocking.response).status).toBe(200);
  expect((await response).status).toBe(200);
});

test('504 keeps the order of pipelined responses, has no body for HEAD, and honours connection: close', async () => {
  await start({ shards: 2 });
  const client = await RawClient.open(scene.running.port);
  const head = get(scene.stage.target('/limited/ignore/c')).replace('GET', 'HEAD');
  const last = get(scene.stage.target('/limited/ignore/d'), 'Connection: close');
  client.write(
    get(scene.stage.target('/wait/a')) +
      get(scene.stage.target('/limited/ignore/b')) +
      get(scene.stage.target('/run/x')) +
      head +
      last,
  );
  await until(() => scene.running.server.stats().refused.HANDLER_TIMEOUT === 3, 'three timeouts');
  expect(client.pending).toHaveLength(0);
  scene.stage.release('a');
  expect(JSON.parse((await client.response()).body.toString()).id).toBe('a');
  expect((await client.response()).status).toBe(504);
  expect(JSON.parse((await client.response()).body.toString()).id).toBe('x');
  const answer = await client.response({ hasBody: false });
  expect([answer.status, answer.body.length]).toEqual([504, 0]);
  const closing = await client.response();
  expect([closing.status, field(closing, 'connection')]).toEqual([504, 'close']);
  await client.closed();
  expect(client.pending).toHaveLength(0);
  scene.stage.release('b', 'c', 'd');
});

test('a draining server waits for handlers whose requests got 504', async () => {
  await start();
  const { response } = await scene.stage.send(scene.running, '/limited/ignore/a');
  expect((await response).status).toBe(504);
  let closed = false;
  const closing = scene.running.server.close().then(() => {
    closed = true;
  });
  await until(() => scene.running.server.stats().connections === 0, 'the connections to end');
  expect([closed, scene.running.server.state]).toEqual([false, 'draining']);
  scene.stage.release('a');
  await closing;
  expect(scene.running.server.state).toBe('closed');
});

test.each(['reset', 'end'] as const)('the signal is aborted when the client disconnects (%s)', async (how) => {
  await start({ shards: 2, abortOnHalfClose: how === 'end' });
  const { client, leave } = await scene.stage.send(scene.running, '/wait/a');
  await until(() => scene.stage.started.length === 1, 'the start');
  const begin = performance.now();
  if (how === 'reset') leave();
  else client.socket.end();
  await until(() => scene.stage.aborted.includes('a'), 'the abort');
  expect(performance.now() - begin).toBeLessThan(PROMISED_MS + PATIENCE_MS);
});

test('a client that ends its side but still reads gets its response, and the signal is not aborted', async () => {
  await start();
  const client = await RawClient.open(scene.running.port, { allowHalfOpen: true });
  client.write(get(scene.stage.target('/wait/a')));
  await until(() => scene.stage.started.includes('a'), 'the start');
  client.socket.end();
  await new Promise((resolve) => client.socket.once('finish', resolve));
  // Everything sent before these requests has been read.
  for (let i = 0; i < 3; i++)
    expect((await (await scene.stage.send(scene.running, `/run/${i}`)).response).status).toBe(200);
  scene.stage.release('a');
  expect((await client.response()).status).toBe(200);
  expect(scene.stage.aborted).toEqual([]);
  client.destroy();
});

test('a request whose client disconnects before the start is not started, claimed or not', async () => {
  await start();
  await until(() => scene.running.server.stats().shards[0].parks > 0, 'the shard to sleep');
  const first = await RawClient.open(scene.running.port);
  first.write(get(scene.stage.target('/hold/block')) + get(scene.stage.target('/run/claimed')));
  await until(() => scene.stage.started.length === 1 && queued() === 0, 'one claim of both requests');
  const waiting = await scene.stage.send(scene.running, '/run/waiting');
  await until(() => queued() === 1, 'the request to wait');
  first.socket.resetAndDestroy();
  waiting.leave();
  await until(() => scene.running.server.stats().connections === 0, 'the end of the connections');
  scene.stage.release('block');
  await expectConserved(scene.running);
  expect(scene.stage.started).toEqual(['block']);
});
