import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { canReusePort } from '../build/src/options/http-threads.js';
import { exchange, get, post } from './support/client.js';
import { root } from './support/process.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

const pem = (name: string) => readFileSync(`${root}test/fixtures/tls/${name}.pem`);
const first = { key: pem('first-key'), cert: pem('first-cert') };
const second = { key: pem('second-key'), cert: pem('second-cert') };
let running: TestServer | undefined;

afterEach(async () => {
  if (running === undefined) return;
  await expectConserved(running);
  await running.server.close();
  running = undefined;
});

async function start(options: ServeOptions): Promise<TestServer> {
  running = await startServer({ shards: 1, ...options });
  return running;
}

async function connectSecurely(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    ...options,
  });
  await once(socket, 'secureConnect');
  return socket;
}

/** Sends `bytes` and returns what the socket receives, up to `total` bytes. */
async function ask(socket: Socket, bytes: string | Uint8Array, total: number): Promise<Buffer> {
  let received = Buffer.alloc(0);
  const listen = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  };
  socket.on('data', listen);
  socket.write(bytes);
  await until(() => received.length >= total || socket.closed, `${total} bytes`);
  socket.off('data', listen);
  return received;
}

const OK = 'HTTP/1.1 200 OK';

describe('TLS', () => {
  test('works with pipelined requests and responses of all sizes, and ALPN http/1.1', async () => {
    const { port } = await start({ port: 0, tls: first });
    const socket = await connectSecurely(port);
    expect(socket.alpnProtocol).toBe('http/1.1');
    const large = 'x'.repeat(500_000);
    const bytes = Buffer.concat([Buffer.from(get('/json')), post('/echo', large), Buffer.from(get('/large/2000000'))]);
    const received = await ask(socket, bytes, 2_500_000);
    expect(received.latin1Slice(0, OK.length)).toBe(OK);
    expect(received.toString('latin1').split(OK).length).toBe(4);
    socket.destroy();
  });

  test('rejects clients that do not use TLS', async () => {
    const { port } = await start({ port: 0, tls: first });
    const plain = connectPlain(port, '127.0.0.1');
    plain.on('error', () => {});
    plain.write(get('/json'));
    plain.resume();
    await once(plain, 'close');
    const other = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const [error] = await once(other, 'error');
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });

  test('can change certificates while connections are open', async () => {
    const { server, port } = await start({ port: 0, tls: first });
    const before = await connectSecurely(port);
    expect(before.getPeerCertificate().subject.CN).toBe('first.test');
    server.setSecureContext(second);
    const after = await connectSecurely(port);
    expect(after.getPeerCertificate().subject.CN).toBe('second.test');
    for (const socket of [before, after]) {
      expect((await ask(socket, get('/json'), 100)).latin1Slice(0, OK.length)).toBe(OK);
      socket.destroy();
    }
    expect(() => server.setSecureContext({ key: 'no key' })).toThrow(expect.objectContaining({ code: 'TLS_INVALID' }));
    expect((await connectSecurely(port)).destroy().authorized).toBe(false);
  });

  test('drops connections without a handshake, after a timeout or when the server closes', async () => {
    const { server, port } = await start({ port: 0, tls: first, timeouts: { headersTimeoutMs: 300 } });
    const slow = connectPlain(port, '127.0.0.1').resume();
    slow.on('error', () => {});
    const since = performance.now();
    await once(slow, 'close');
    expect(performance.now() - since).toBeGreaterThan(290);
    const cut = connectPlain(port, '127.0.0.1').resume();
    cut.on('error', () => {});
    await once(cut, 'connect');
    await exchangeSecurely(port);
    await Promise.all([once(cut, 'close'), server.destroy()]);
    running = undefined;
  });

  test('closes idle connections, releases everything when clients disconnect, and drains on close()', async () => {
    const { server, port } = await start({ port: 0, tls: first, timeouts: { keepAliveTimeoutMs: 200 } });
    const idle = await connectSecurely(port);
    await ask(idle, get('/json'), 100);
    await once(idle.resume(), 'close');
    for (let i = 0; i < 30; i++) {
      const leaving = await connectSecurely(port);
      leaving.on('error', () => {});
      leaving.write(get('/later/20/x') + get('/large/300000'));
      if (i % 2 === 0) leaving.destroy();
      else leaving.once('data', () => leaving.destroy());
    }
    await until(() => server.stats().connections === 0, 'the end of all connections');
    const last = await connectSecurely(port);
    last.write(get('/later/100/last'));
    await until(() => server.stats().outstanding === 1, 'the request');
    const closing = server.close();
    const [answer] = await Promise.all([ask(last, '', 140), once(last, 'end')]);
    expect(answer.toString()).toContain('connection: close');
    last.destroy();
    await closing;
  });

  test('counts handshakes for maxConnections', async () => {
    const { server, port } = await start({ port: 0, tls: first, limits: { maxConnections: 1 }, httpThreads: 1 });
    const waiting = connectPlain(port, '127.0.0.1');
    await once(waiting, 'connect');
    const refused = connectPlain(port, '127.0.0.1').resume();
    refused.on('error', () => {});
    await once(refused, 'close');
    expect(server.stats().connectionsRefused).toBe(1);
    waiting.destroy();
  });

  test('rejects invalid keys before anything starts', async () => {
    await expect(startServer({ tls: { key: 'no key', cert: first.cert } })).rejects.toMatchObject({
      code: 'TLS_INVALID',
    });
    await expect(startServer({ tls: { ...first, key: second.key } })).rejects.toMatchObject({ code: 'TLS_INVALID' });
  });

  test('is required for changing certificates', async () => {
    const { server } = await start({});
    expect(() => server.setSecureContext(first)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

async function exchangeSecurely(port: number): Promise<void> {
  const socket = await connectSecurely(port);
  expect((await ask(socket, get('/json'), 100)).latin1Slice(0, OK.length)).toBe(OK);
  socket.destroy();
}

describe('places to listen', () => {
  test('a Unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loopshard-'));
    const path = join(folder, 'socket');
    const { server } = await startOn({ path });
    expect(server.address()).toEqual({ address: path, family: 'Unix', port: 0 });
    const response = await new Promise<IncomingMessage>((resolve) =>
      httpRequest({ socketPath: path, path: '/json', agent: false }, (answer) => resolve(answer.resume())).end(),
    );
    expect(response.statusCode).toBe(200);
    await expect(startOn({ path })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `${path} is in use. Stop what listens there, or remove the file if nothing does.`,
    });
    await until(() => server.stats().connections === 0, 'the end of the connection');
    await server.close();
    await rm(folder, { recursive: true });
  });

  const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
  (hasIPv6 ? test : test.skip)('IPv6, alone and with IPv4', async () => {
    const { port, server } = await start({ host: '::', ipv6Only: true });
    expect(server.address().family).toBe('IPv6');
    const refused = connectPlain(port, '127.0.0.1');
    const [error] = await once(refused, 'error');
    expect(error.code).toBe('ECONNREFUSED');
    const six = connectPlain(port, '::1');
    expect((await ask(six, get('/json'), 100)).latin1Slice(0, OK.length)).toBe(OK);
    six.destroy();
  });

  test('a port that is in use', async () => {
    const { port } = await start({});
    await expect(startServer({ port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `Port ${port} of 127.0.0.1 is in use. Stop what listens there, or choose another port.`,
    });
    await expect(startServer({ host: '203.0.113.1' })).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });

  (process.platform === 'win32' ? test.skip : test)('a descriptor that was inherited', async () => {
    const listening = createServer();
    listening.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
    const child = spawn(process.execPath, ['test/fixtures/serve-fd.js'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit', fd],
    });
    const [ready] = await once(child.stdout!, 'data');
    listening.close();
    expect(ready.toString()).toBe(`ready ${port}\n`);
    expect((await exchange(port, get('/json'))).status).toBe(200);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

/** Starts a server without the free port that tests use otherwise. */
async function startOn(options: ServeOptions): Promise<TestServer> {
  return startServer({ shards: 1, port: undefined as never, ...options });
}

(process.platform === 'linux' ? describe : describe.skip)('the sockets that listen', () => {
  /** Number of sockets of any process that listen on the port (proc(5), /proc/net/tcp). */
  const socketsOf = (port: number) => {
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const [, ...lines] = readFileSync('/proc/net/tcp', 'utf8').split('\n');
    return lines.filter((line) => {
      const [, address, , state] = line.trim().split(/\s+/);
      return address?.endsWith(local) === true && state === '0A';
    }).length;
  };

  test('are several for one HTTP thread where Node.js can share a port, and all are closed', async () => {
    const { server, port } = await startServer(ONE_HTTP_THREAD);
    expect(socketsOf(port)).toBe(canReusePort() ? 4 : 1);
    const responses = await Promise.all(Array.from({ length: 100 }, () => exchange(port, get('/json'))));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    await server.close();
    expect(socketsOf(port)).toBe(0);
  });

  test('do not let a second server have the port', async () => {
    const { server, port } = await startServer(ONE_HTTP_THREAD);
    await expect(startServer({ ...ONE_HTTP_THREAD, port })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await server.close();
  });
});
