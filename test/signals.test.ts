import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { get, RawClient } from './support/client.js';
import { Life } from './support/life.js';
import { loopshard, Program } from './support/process.js';
import { until } from './support/server.js';

const APP = 'test/fixtures/app.js';
const listens = /listens on http:\/\/127\.0\.0\.1:(\d+)/;

let life: Life;

beforeEach(() => {
  life = new Life();
});

afterEach(() => life.end());

/** An app that takes an hour to load. */
const slow = () => {
  life.mark('load-ms', '3600000');
  return life.url;
};

test('a signal on the line that says "listens" drains', async () => {
  for (let i = 0; i < 3; i++) {
    const program = loopshard('serve', APP, '--port', '0', '--shards', '1');
    // In the same turn in which the line arrives.
    program.child.stdout!.once('data', () => program.child.kill('SIGTERM'));
    expect([await program.exit(), program.child.signalCode]).toEqual([0, null]);
    expect(program.stdout).toContain('SIGTERM: finishing open requests. Send it again to exit immediately.');
  }
});

test('SIGHUP on the line that says "listens" reloads the certificate', async () => {
  const files = ['--tls-key', 'test/fixtures/tls/first-key.pem', '--tls-cert', 'test/fixtures/tls/first-cert.pem'];
  const program = loopshard('serve', APP, '--port', '0', '--shards', '1', ...files);
  program.child.stdout!.once('data', () => program.child.kill('SIGHUP'));
  await program.printed(/reloaded the certificate for new connections/);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while the app is loaded ends the start', async (signal, code) => {
  const program = loopshard('serve', slow(), '--port', '0', '--shards', '1');
  await until(() => isLoading(), 'the import');
  program.child.kill(signal);
  expect([await program.exit(), program.child.signalCode]).toEqual([code, null]);
  expect(program.stderr).toBe(`loopshard: ${signal} before the server was ready\n`);
  expect(program.stdout).toBe('');
});

const isLoading = () => existsSync(life.file('loading'));

const AS_PROCESS_1 = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
const mayUnshare = spawnSync('unshare', [...AS_PROCESS_1, 'true']).status === 0;

(mayUnshare ? test : test.skip)('SIGTERM to process 1 while the app is loaded ends the start', async () => {
  const command = [process.execPath, 'build/dist/cli.js', 'serve', slow(), '--port', '0', '--shards', '1'];
  const program = new Program('unshare', [...AS_PROCESS_1, ...command]);
  const { pid } = program.child;
  await until(() => isLoading() || program.child.exitCode !== null, 'the import');
  // The only child of unshare is process 1 in its namespace.
  process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM');
  expect(await program.exit()).toBe(143);
});

describe('the file of a Unix socket', () => {
  const start = async (path: string, ...args: string[]) => {
    const program = loopshard('serve', APP, '--path', path, '--shards', '1', ...args);
    await program.printed(/listens on/);
    return program;
  };

  test('is removed by a second signal', async () => {
    const path = life.file('socket');
    const program = await start(path, '--drain-delay-ms', '60000');
    program.child.kill('SIGTERM');
    await program.printed(/finishing open requests/);
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  test('is replaced if its owner is gone', async () => {
    const path = life.file('socket');
    const killed = await start(path);
    killed.child.kill('SIGKILL');
    await killed.exit();
    expect(existsSync(path)).toBe(true);
    const program = await start(path);
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test('is not touched if another process listens there, or if it is not a socket', async () => {
    const path = life.file('socket');
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    const file = life.file('file');
    writeFileSync(file, 'precious');
    for (const taken of [path, file]) {
      const program = loopshard('serve', APP, '--path', taken, '--shards', '1');
      expect(await program.exit()).toBe(1);
      expect(program.stderr).toMatch(/is in use.*\(LISTEN_FAILED\)/);
      expect(existsSync(taken)).toBe(true);
    }
    await new Promise((resolve) => other.close(resolve));
  });
});

test.each([
  ['a shard', false],
  ['a shard of the code before a reload', true],
])('SIGTERM ends a server with %s in native code', async (_which, isReloaded) => {
  const started = life.file('started');
  const app = new URL(`fixtures/native.js?started=${encodeURIComponent(started)}`, import.meta.url).href;
  const program = loopshard('serve', app, '--port', '0', '--shards', '1', '--close-timeout-ms', '300');
  const client = await RawClient.open(Number((await program.printed(listens))[1]));
  client.write(get('/native'));
  await until(() => existsSync(started), 'the native code');
  if (isReloaded) {
    program.child.kill('SIGHUP');
    await program.printed(/reloaded the app/);
  }
  program.child.kill('SIGTERM');
  await program.exit();
  expect(program.child.signalCode).toBe('SIGKILL');
  expect(program.stderr).toContain('loopshard: A shard is in native code that cannot be stopped. Killing the process.');
  client.destroy();
});
