/* Tests with third-party clients, which behave like the clients of production servers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Pool } from 'undici';
import { root } from './support/process.js';
import { describeWith, run } from './support/programs.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const tls = (name: string) => `${root}test/fixtures/tls/${name}.pem`;
let running: TestServer;
let url: string;

beforeAll(async () => {
  running = await startServer();
  url = `http://127.0.0.1:${running.port}`;
});

afterEach(async () => {
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
});

afterAll(() => running.server.close());

/** Started handlers. Each must belong to a request that a client counts. */
function handled(): number {
  return running.server.stats().shards.reduce((sum, { requests }) => sum + requests, 0);
}

describeWith('curl', (command) => {
  const curl = (...args: string[]) => run(command, ['--silent', '--show-error', '--max-time', '20', ...args]);
  const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
  const output = join(folder, 'output');
  const file = (bytes: number) => {
    const name = join(folder, String(bytes));
    writeFileSync(name, Buffer.alloc(bytes, 'curl'));
    return name;
  };

  afterAll(() => rmSync(folder, { recursive: true }));

  test('keeps its connection', async () => {
    const write = '%{http_code} %{num_connects}\n';
    const paths = ['/json', '/text', '/missing', '/large/200000', '/nothing', '/json'];
    const { stdout } = await curl('-w', write, ...paths.flatMap((path) => ['-o', output, `${url}${path}`]));
    expect(stdout).toBe('200 1\n200 0\n404 0\n200 0\n204 0\n200 0\n');
  });

  test.each([0, 10, 5_000, 900_000])('posts %d bytes', async (bytes) => {
    await curl('--fail', '--data-binary', `@${file(bytes)}`, '-o', output, `${url}/echo`);
    expect((await readFile(output)).equals(Buffer.alloc(bytes, 'curl'))).toBe(true);
  });

  test.each([10, 5_000, 900_000])('uploads %d bytes in chunks', async (bytes) => {
    const chunked = ['-H', 'Transfer-Encoding: chunked', '-X', 'POST', '-T', file(bytes)];
    const { stderr } = await curl('-v', ...chunked, '-o', output, `${url}/echo`);
    expect(stderr).toMatch(/^> Transfer-Encoding: chunked/m);
    expect((await readFile(output)).equals(Buffer.alloc(bytes, 'curl'))).toBe(true);
  });

  test('waits for 100 Continue, and does not send a body that would be rejected', async () => {
    const expecting = ['-v', '-H', 'Expect: 100-continue', '--expect100-timeout', '15', '-o', output];
    const { stderr } = await curl(...expecting, '--data-binary', `@${file(5_000)}`, `${url}/echo`);
    expect(stderr).toMatch(/^< HTTP\/1\.1 100 Continue\r?\n[\s\S]*^< HTTP\/1\.1 200 OK/m);
    expect((await readFile(output)).length).toBe(5_000);
    const tooMuch = ['--data-binary', `@${file(2_000_000)}`, '-w', '%{http_code} %{size_upload}'];
    expect((await curl(...expecting, ...tooMuch, `${url}/echo`)).stdout).toBe('413 0');
  });

  test('sends HEAD', async () => {
    const { stdout } = await curl('--head', `${url}/json`, '--next', '-s', '--head', `${url}/missing`);
    expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: 27\r\n[\s\S]*^HTTP\/1\.1 404 Not Found\r\n/m);
  });

  test('speaks HTTP/1.0, with and without keep-alive', async () => {
    const args = ['--http1.0', '-w', ' %{num_connects}\n', `${url}/text`, `${url}/text`];
    expect((await curl(...args)).stdout).toBe('grüße 1\ngrüße 1\n');
    expect((await curl('-H', 'Connection: keep-alive', ...args)).stdout).toBe('grüße 1\ngrüße 0\n');
  });

  test('speaks TLS, and trusts the certificate', async () => {
    const secure = await startServer({
      shards: 1,
      tls: { key: await readFile(tls('first-key')), cert: await readFile(tls('first-cert')) },
    });
    const args = ['--cacert', tls('first-cert'), '--http2', '--data-binary', `@${file(900_000)}`];
    const { stdout } = await curl(
      '-w',
      '%{http_code} %{http_version} %{size_download}',
      ...args,
      '-o',
      output,
      `https://localhost:${secure.port}/echo`,
    );
    expect(stdout).toBe('200 1.1 900000');
    await secure.server.close();
  });

  test('sends many requests at once', async () => {
    const names = Array.from({ length: 200 }, (_, i) => String(i));
    await curl('--parallel', '--parallel-max', '20', '-o', join(folder, 'nonce#1'), `${url}/later/1/[0-199]`);
    const nonces = await Promise.all(names.map((name) => readFile(join(folder, `nonce${name}`), 'utf8')));
    expect(nonces).toEqual(names);
  });
});

describe('undici', () => {
  test('pipelines through a pool, and gets the right response for each request', async () => {
    const before = handled();
    const pool = new Pool(url, { connections: 4, pipelining: 10 });
    const ask = async (i: number) => {
      const nonce = `n${i}`;
      if (i % 10 === 0) {
        const { body } = await pool.request({ path: '/echo', method: 'POST', body: nonce.repeat(i % 400) });
        expect(await body.text()).toBe(nonce.repeat(i % 400));
        return;
      }
      const { statusCode, body } = await pool.request({
        path: i % 3 ? `/sync/${nonce}` : `/later/2/${nonce}`,
        method: 'GET',
      });
      expect([statusCode, await body.text()]).toEqual([200, nonce]);
    };
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => ask(i)));
    expect(running.server.stats().connections).toBe(4);
    expect(handled() - before).toBe(2_000);
    await pool.close();
  });

  test('aborts requests in its pipeline, and continues', async () => {
    const pool = new Pool(url, { connections: 2, pipelining: 5 });
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const asking = Array.from({ length: 10 }, (_, i) =>
        pool.request({ path: `/later/5/${i}`, method: 'GET', signal: controller.signal }),
      );
      controller.abort();
      for (const { status } of await Promise.allSettled(asking)) expect(status).toBe('rejected');
      const { body } = await pool.request({ path: `/sync/${round}`, method: 'GET' });
      expect(await body.text()).toBe(String(round));
    }
    await pool.close();
  });
});

describeWith('wrk', (command) => {
  test('counts no error', async () => {
    const before = handled();
    const { stdout } = await run(command, ['-t1', '-c50', '-d1s', `${url}/json`]);
    const requests = Number(stdout.match(/(\d+) requests in/)?.[1]);
    expect(stdout).not.toMatch(/Non-2xx|Socket errors/);
    expect(requests).toBeGreaterThan(100);
    await until(() => running.server.stats().connections === 0, 'the end of all connections');
    // When the time is up, a response is in flight on each connection.
    const surplus = handled() - before - requests;
    expect(surplus).toBeGreaterThanOrEqual(0);
    expect(surplus).toBeLessThanOrEqual(50);
  });
});

describeWith('h2load', (command) => {
  test('counts responses, with HTTP/1.1 and pipelining', async () => {
    const before = handled();
    const args = ['--h1', '-n', '5000', '-c', '20', '-m', '8', `${url}/json`, `${url}/sync/a`, `${url}/large/20000`];
    const { stdout } = await run(command, args);
    expect(stdout).toContain('5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored, 0 timeout');
    expect(stdout).toContain('status codes: 5000 2xx, 0 3xx, 0 4xx, 0 5xx');
    expect(handled() - before).toBe(5_000);
  });
});
