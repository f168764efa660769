import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
import { Program, root } from './support/process.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

/** Number of connections per instance of the HTTP parser. */
const PARSERS = 1_024;

let running: TestServer | undefined;
let restore = () => {};

afterEach(async () => {
  restore();
  restore = () => {};
  if (running === undefined) return;
  await expectConserved(running);
  await running.server.close();
  running = undefined;
});

/** Makes every allocation of another HTTP parser instance fail from now on. */
function exhaustParsers(): void {
  const { Instance } = WebAssembly;
  restore = () => {
    WebAssembly.Instance = Instance;
  };
  WebAssembly.Instance = class {
    constructor(module: WebAssembly.Module, imports: Record<string, Record<string, unknown>>) {
      if (imports.env !== undefined && 'wasm_on_url' in imports.env) throw new RangeError('Out of memory');
      // biome-ignore lint/correctness/noConstructorReturn: it replaces the real one
      return new Instance(module, imports);
    }
  } as typeof WebAssembly.Instance;
}

test('closes a connection if memory for its parser is exhausted, and serves the others', async () => {
  running = await startServer({ shards: 1, ...ONE_HTTP_THREAD });
  const { port, server, logged } = running;
  const clients = await Promise.all(Array.from({ length: PARSERS }, () => RawClient.open(port)));
  await until(() => server.stats().connections === PARSERS, 'all connections');
  exhaustParsers();
  for (let i = 0; i < 3; i++) {
    const refused = await RawClient.open(port);
    await refused.closed();
  }
  expect(server.stats()).toMatchObject({ connections: PARSERS, connectionsRefused: 3 });
  // Logged at most once per second.
  expect(logged.map(({ message, details }) => [message, details.err?.message])).toEqual([
    ['a connection failed and was closed', 'Out of memory'],
  ]);
  clients[7].write(get('/json'));
  expect((await clients[7].response()).status).toBe(200);
  restore();
  expect((await exchange(port, get('/json'))).status).toBe(200);
  for (const client of clients) client.destroy();
});

test('fails to start with a clear error if memory for the parser is exhausted', async () => {
  exhaustParsers();
  await expect(startServer({ shards: 1, ...ONE_HTTP_THREAD })).rejects.toMatchObject({
    code: 'MEMORY_EXHAUSTED',
    message: expect.stringContaining('Cannot allocate the memory of the HTTP parser: Out of memory'),
  });
});

test('fails only the request whose body cannot be allocated', async () => {
  running = await startServer({ shards: 1, ...ONE_HTTP_THREAD });
  const { allocUnsafeSlow } = Buffer;
  restore = () => {
    Buffer.allocUnsafeSlow = allocUnsafeSlow;
  };
  Buffer.allocUnsafeSlow = (bytes) => {
    if (bytes > 500_000) throw new RangeError('Array buffer allocation failed');
    return allocUnsafeSlow(bytes);
  };
  const other = await RawClient.open(running.port);
  const client = await RawClient.open(running.port);
  client.write('POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80000\r\n');
  client.write(Buffer.alloc(0x80000));
  await client.closed();
  other.write(get('/json'));
  expect((await other.response()).status).toBe(200);
  other.destroy();
  expect(running.logged.map(({ message }) => message)).toEqual(['a connection failed and was closed']);
});

test.each(['throws', 'rejects'])('an SNICallback that %s fails only its own handshake', async (how) => {
  const read = (name: string) => readFileSync(new URL(`fixtures/tls/first-${name}.pem`, import.meta.url));
  const SNICallback = (name: string, done: (error: Error | null) => void): unknown => {
    if (name !== 'bad.test') return void done(null);
    const error = new Error('on purpose');
    if (how === 'throws') throw error;
    return Promise.reject(error);
  };
  const tls = { key: read('key'), cert: read('cert'), SNICallback: SNICallback as never };
  running = await startServer({ shards: 1, tls, ...ONE_HTTP_THREAD });
  const { port } = running;
  const bad = connect({ port, host: '127.0.0.1', servername: 'bad.test', rejectUnauthorized: false });
  await once(bad, 'error');
  const good = connect({ port, host: '127.0.0.1', servername: 'good.test', rejectUnauthorized: false });
  await once(good, 'secureConnect');
  good.write(get('/json', 'Connection: close'));
  const [answer] = await once(good, 'data');
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
  good.destroy();
});

test('throwing loggers and event listeners and an async priority fail neither the server nor a request', async () => {
  const script = `
    import { serve } from 'loopshard';
    const fail = () => { throw new Error('on purpose'); };
    const server = await serve('test/fixtures/app.js', {
      port: 0,
      shards: 1,
      accessLog: true,
      logger: { error: fail, warn: fail, info: async () => fail() },
      scheduling: { priority: async () => fail() },
    });
    server.on('state', fail);
    const ask = async (path) => (await fetch('http://127.0.0.1:' + server.address().port + path)).status;
    const statuses = [await ask('/json'), await ask('/throw'), await ask('/json')];
    await server.close();
    console.log(JSON.stringify([statuses, server.state]));`;
  const program = new Program(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  expect([await program.exit(), program.stderr]).toEqual([0, '']);
  expect(JSON.parse(program.stdout)).toEqual([[200, 500, 200], 'closed']);
});
