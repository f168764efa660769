import { describe, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
import { useLife } from './support/life.js';
import { Program } from './support/process.js';
import { expectConserved, startServer, until } from './support/server.js';
import { outcome } from './support/stage.js';

const scene = useLife();

const states = () => scene.running.server.stats().shards.map(({ state }) => state);
const allReady = () => states().every((state) => state === 'ready');
const status = async (path: string) => (await exchange(scene.running.port, get(path))).status;

/** Command line that serves life.js on a free port. */
function serveArgs(shards: number): string[] {
  return ['build/dist/cli.js', 'serve', scene.life.url, '--port', '0', '--shards', String(shards)];
}

/** Blocks the calling thread, which is the HTTP thread. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test.each(['/throw', '/exit'])(
  'a shard that ends with its first request, %s, before the HTTP thread has noticed, loses no other request',
  async (path) => {
    const { server, port } = await scene.start({
      shards: 1,
      scheduling: { permits: 1, batch: 1 },
      recovery: { maxRestarts: 0, onUncaught: 'exit' },
    });
    // While the HTTP thread is blocked, a replacement gets ready. It would start the queued request and end as well.
    server.on('shard', ({ state }) => {
      if (state === 'loading') block(150);
    });
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await exchange(port, get(path))).status));
    expect(statuses).toEqual([502, 502, 502, 502, 502]);
    await until(allReady, 'the final replacement');
    await expectConserved(scene.running);
    expect(await status('/ok')).toBe(200);
  },
);

test('a request that arrives between two threads of the only shard waits for the second', async () => {
  scene.life.mark('load-ms', '300');
  const { server, port } = await scene.start({ shards: 1, recovery: { onUncaught: 'exit' } });
  const ended = new Promise<void>((resolve) => server.on('shard', ({ state }) => state === 'ended' && resolve()));
  const fatal = exchange(port, get('/exit'));
  await ended;
  expect(await status('/ok')).toBe(200);
  expect([(await fatal).status, server.stats().shards[0].restarts]).toEqual([502, 1]);
  await expectConserved(scene.running);
});

test('requests with keys that wait for a missing shard go to another one as soon as it is ready', async () => {
  const { port } = await scene.start({ shards: 2, recovery: { onUncaught: 'exit' } });
  scene.life.mark('slow-once');
  // Each request ends one of the two shards.
  for (let i = 0; i < 2; i++) expect(await status('/exit')).toBe(502);
  const keyed = Array.from({ length: 12 }, (_, i) => exchange(port, get('/sticky', `x-key: ${i}`)));
  for (const response of await Promise.all(keyed)) expect(response.status).toBe(200);
  expect(states().sort()).toEqual(['loading', 'ready']);
  scene.life.mark('go-on');
  await until(allReady, 'the other shard');
  await expectConserved(scene.running);
});

test('a replacement starts nothing before the HTTP thread has seen it ready', async () => {
  scene.life.mark('notes');
  const { server, port } = await scene.start({ shards: 1, scheduling: { permits: 1 } });
  let seen: string[] | undefined;
  server.on('shard', ({ state }) => {
    if (state !== 'loading') return;
    // This is the HTTP thread, so it does not notice the shard meanwhile.
    const loaded = () => scene.life.notes.filter((note) => note === 'end').length === 2;
    for (const end = performance.now() + 10_000; !loaded() && performance.now() < end; );
    block(200);
    seen = scene.life.notes;
  });
  const fatal = exchange(port, get('/exit-later'));
  await until(() => server.stats().shards[0].permits.available === 0, 'the fatal request to start');
  const waiting = exchange(port, get('/note'));
  await until(() => server.stats().shards[0].queued === 1, 'the request that waits');
  expect((await fatal).status).toBe(502);
  expect((await waiting).status).toBe(204);
  // The second thread has loaded the module in the meantime.
  expect(seen).toEqual(['begin', 'end', 'exit', 'begin', 'end']);
  expect(scene.life.notes).toEqual(['begin', 'end', 'exit', 'begin', 'end', 'started']);
});

describe('close() ends within closeTimeoutMs', () => {
  test.each([
    ['outside of a request', '/spin-later'],
    ['in a handler', '/spin'],
  ])('with a shard in an endless loop %s', async (_where, path) => {
    const { server, port } = await scene.start({ shards: 2, timeouts: { closeTimeoutMs: 500 } });
    const client = await RawClient.open(port);
    client.write(get(path));
    if (path === '/spin-later') await client.response();
    else await until(() => server.stats().shards.some(({ requests }) => requests > 0), 'the start');
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(states()).toEqual(['ended', 'ended']);
    client.destroy();
  });

  test('with a shard whose replacement never gets ready', async () => {
    const { server } = await scene.start({ shards: 1, timeouts: { closeTimeoutMs: 60_000 } });
    scene.life.mark('hang');
    expect(await status('/exit')).toBe(502);
    await until(() => states()[0] === 'loading', 'the replacement');
    await server.close();
    expect(states()).toEqual(['ended']);
  });
});

test('SIGTERM ends a server with a shard in an endless loop within --close-timeout-ms', async () => {
  const program = new Program(process.execPath, [...serveArgs(2), '--close-timeout-ms', '500']);
  const [, port] = await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
  expect((await exchange(Number(port), get('/spin-later'))).status).toBe(200);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

describe('a replacement', () => {
  test('whose bootstrap fails is retried', async () => {
    const program = new Program(process.execPath, ['--require', './test/fixtures/preload.cjs', ...serveArgs(1)], {
      env: { ...process.env, PRELOAD_FAILS: scene.life.file('preload-fails') },
    });
    const port = Number((await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
    scene.life.mark('preload-fails');
    expect((await exchange(port, get('/exit'))).status).toBe(502);
    await until(() => program.stderr.includes('the preload fails'), 'a start that fails');
    expect((await exchange(port, get('/ok'))).status).toBe(503);
    scene.life.unmark('preload-fails');
    await until(async () => (await exchange(port, get('/ok'))).status === 200, 'a successful start');
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
  });

  test('that is not ready within startTimeoutMs is terminated and retried, and queued requests get 503', async () => {
    const { server, port, logged } = await scene.start({
      shards: 1,
      scheduling: { permits: 1 },
      timeouts: { startTimeoutMs: 4_000 },
    });
    scene.life.mark('hang');
    const fatal = exchange(port, get('/exit-later'));
    await until(() => server.stats().shards[0].permits.available === 0, 'the fatal request to start');
    const waiting = exchange(port, get('/ok'));
    await until(() => server.stats().shards[0].queued === 1, 'the request that waits');
    expect((await fatal).status).toBe(502);
    expect(await outcome(await waiting)).toEqual([503, 'NO_SHARD']);
    expect(await status('/ok')).toBe(503);
    expect(logged.some(({ message }) => /not ready within 4000 ms.*`timeouts.startTimeoutMs`/.test(message))).toBe(
      true,
    );
    scene.life.unmark('hang');
    await until(allReady, 'a replacement that loads');
    expect(await status('/ok')).toBe(200);
    await expectConserved(scene.running);
  });

  test('that takes long to load makes queued requests get 503 after 5 s', async () => {
    const { server, port } = await scene.start({
      shards: 1,
      scheduling: { permits: 1 },
      timeouts: { startTimeoutMs: 0 },
    });
    scene.life.mark('hang');
    const fatal = exchange(port, get('/exit-later'));
    await until(() => server.stats().shards[0].permits.available === 0, 'the fatal request to start');
    const waiting = exchange(port, get('/ok'));
    expect((await fatal).status).toBe(502);
    expect(await outcome(await waiting)).toEqual([503, 'NO_SHARD']);
    expect(states()).toEqual(['loading']);
  });
});

test('the first shard loads the module alone, and then the others in parallel', async () => {
  scene.life.mark('notes');
  scene.life.mark('load-ms', '1500');
  await scene.start({ groups: { default: 2, other: 2 } });
  expect(scene.life.notes.slice(0, 4)).toEqual(['begin', 'end', 'begin', 'begin']);
  expect(scene.life.notes).toHaveLength(8);
});

test('a module that awaits a promise that never settles fails the start', async () => {
  scene.life.mark('never');
  await expect(startServer({ shards: 1 }, scene.life.fixture)).rejects.toMatchObject({
    code: 'SHARD_FAILED',
    message:
      'Shard 0 ended before it was ready: the module awaits a promise that never settles. Check what the module does while it is loaded.',
  });
});

test('a shard that is lost while another one starts makes the start fail, with the reason', async () => {
  scene.life.mark('die-first');
  scene.life.mark('load-ms', '300');
  // On a slow machine, it ends before the HTTP thread has seen it ready.
  await expect(startServer({ shards: 2 }, scene.life.fixture)).rejects.toMatchObject({
    code: 'SHARD_FAILED',
    message: expect.stringMatching(/^Shard 0 ended( before it was ready)?: the first one dies\./),
  });
});

describe('a shard whose event loop is blocked for stuckAfterMs', () => {
  const stuckAfterMs = 200;

  test('is not ready, and is used again once it is unblocked', async () => {
    const { server, port } = await scene.start({
      shards: 2,
      recovery: { stuckAfterMs },
      health: true,
      scheduling: { steal: false },
    });
    const spinning = await Promise.all([RawClient.open(port), RawClient.open(port)]);
    for (const client of spinning) {
      const before = server.stats().shards.filter(({ requests }) => requests > 0).length;
      client.write(get('/spin'));
      await until(() => server.stats().shards.filter(({ requests }) => requests > 0).length > before, 'the start');
    }
    expect(await status('/readyz')).toBe(200);
    await until(() => states().every((state) => state === 'stuck'), 'both shards to be stuck');
    expect(await status('/readyz')).toBe(503);
    expect(await outcome(exchange(port, get('/ok')))).toEqual([503, 'NO_SHARD']);
    scene.life.mark('release');
    for (const client of spinning) {
      expect((await client.response()).body.toString()).toBe('released');
      client.destroy();
    }
    await until(allReady, 'both event loops to continue');
    expect([await status('/readyz'), await status('/ok')]).toEqual([200, 200]);
    await expectConserved(scene.running);
  });

  test('is stuck even if it spins outside of a request, and new requests go to others', async () => {
    const { port } = await scene.start({
      shards: 2,
      recovery: { stuckAfterMs },
      scheduling: { dispatch: 'round-robin', steal: false },
    });
    expect(await status('/spin-later')).toBe(200);
    await until(() => states().includes('stuck'), 'one shard to be stuck');
    for (let i = 0; i < 4; i++) expect(await status('/ok')).toBe(200);
    scene.life.mark('release');
    await until(allReady, 'its event loop to continue');
    expect((await exchange(port, get('/ok'))).status).toBe(200);
  });

  test('loses its queued requests to others, including those bound to it', async () => {
    const { server, port } = await scene.start({ shards: 2, recovery: { stuckAfterMs }, scheduling: { permits: 1 } });
    const spinning = await RawClient.open(port);
    spinning.write(get('/sticky-spin', 'X-Key: same'));
    await until(() => server.stats().shards.some(({ requests }) => requests > 0), 'the start');
    const waiting = exchange(port, get('/sticky', 'X-Key: same'));
    await until(() => server.stats().shards.some(({ queued }) => queued > 0), 'the request that waits');
    expect((await waiting).body.toString()).toBe('ok');
    scene.life.mark('release');
    expect((await spinning.response()).status).toBe(200);
    spinning.destroy();
    await expectConserved(scene.running);
  });

  test('loses requests that it has claimed and not started to others', async () => {
    const { server, port } = await scene.start({ shards: 2, recovery: { stuckAfterMs } });
    const client = await RawClient.open(port);
    // Read in one turn, and claimed together by a shard that was asleep.
    client.write(get('/sticky-spin', 'X-Key: same') + get('/sticky', 'X-Key: same').repeat(3));
    const others = () => server.stats().shards.filter(({ state, requests }) => state === 'ready' && requests === 3);
    await until(() => others().length === 1, 'the requests behind it');
    scene.life.mark('release');
    for (let i = 0; i < 4; i++) expect((await client.response()).status).toBe(200);
    client.destroy();
    await until(allReady, 'its event loop to continue');
    await expectConserved(scene.running);
  });

  test('is distinguished from an idle one, even while the HTTP thread is blocked', async () => {
    // Long enough for a shard that must wait for a core.
    const { server } = await scene.start({ shards: 2, recovery: { stuckAfterMs: 400 } });
    const seen: string[] = [];
    server.on('shard', ({ state }) => void seen.push(state));
    const end = performance.now() + 1_000;
    await until(() => performance.now() > end, 'the time to pass');
    block(1_200);
    await until(async () => (await status('/ok')) === 200, 'a response');
    expect(seen).toEqual([]);
  });
});

test.each([
  ['a route in a group that the server does not have', {}, './no-group.js', 'ROUTE_INVALID'],
  ['a health path that is a route', { health: { livez: '/ok' } }, './life.js?dir=', 'ROUTE_DUPLICATE'],
  ['a host name of another machine', { host: '192.0.2.1' }, './life.js?dir=', 'LISTEN_FAILED'],
])('a start that fails for %s keeps no memory', async (_why, options, module, code) => {
  const args = ['--expose-gc', 'test/fixtures/failed-starts.js', JSON.stringify(options), module];
  const program = new Program(process.execPath, args);
  expect(await program.exit()).toBe(0);
  expect(JSON.parse(program.stdout)).toEqual({ made: 6, collected: 6, codes: [code] });
});

test("close() of shards with park: 'sync' does not wait for their next check", async () => {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { server } = await scene.start({ shards: 2, scheduling: { park: 'sync' } });
    await until(() => server.stats().shards.every(({ parks }) => parks > 0), 'both shards to sleep');
    const began = performance.now();
    await server.close();
    times.push(performance.now() - began);
  }
  // They check every second.
  expect(Math.min(...times)).toBeLessThan(900);
});
