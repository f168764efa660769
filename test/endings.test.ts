import { closeSync, openSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exchange, get } from './support/client.js';
import { Life } from './support/life.js';
import { loopshard, type Program } from './support/process.js';
import { run } from './support/programs.js';
import { startServer, until } from './support/server.js';

let life: Life;

beforeEach(() => {
  life = new Life();
  life.mark('notes');
});

afterEach(() => life.end());

const ending = ['beforeExit', 'flushed', 'exit'];

describe('beforeExit, whose promises are awaited, and exit are emitted on a shard that', () => {
  test('is closed', async () => {
    const { server } = await startServer({ shards: 1 }, life.fixture);
    await server.close();
    expect(life.notes).toEqual(['begin', 'end', ...ending]);
  });

  test('is closed while something keeps its event loop alive', async () => {
    const { server, port } = await startServer({ shards: 1 }, life.fixture);
    expect((await exchange(port, get('/keep-alive'))).status).toBe(200);
    await server.close();
    expect(life.notes).toEqual(['begin', 'end', ...ending]);
  });

  (process.platform === 'win32' ? test.skip : test)('is closed once its system requests have finished', async () => {
    await run('mkfifo', [life.file('fifo')]);
    const { server, port } = await startServer({ shards: 1 }, life.fixture);
    expect((await exchange(port, get('/read-later'))).status).toBe(200);
    const closed = server.close();
    // Longer than a shard waits for timers and idle connections.
    const since = performance.now();
    await until(() => life.notes.includes('flushed') && performance.now() - since > 500, 'the end to begin');
    expect(life.notes).not.toContain('exit');
    closeSync(openSync(life.file('fifo'), 'w'));
    await closed;
    expect(life.notes).toEqual(['begin', 'end', 'beforeExit', 'flushed', 'came back', 'exit']);
  });

  test('is closed late because requests do not settle', async () => {
    const { server, port } = await startServer({ shards: 1, timeouts: { closeTimeoutMs: 5_000 } }, life.fixture);
    const request = exchange(port, get('/slow/60000')).catch(() => {});
    await until(() => server.stats().shards[0].requests === 1, 'the start');
    await server.close();
    await request;
    expect(life.notes).toEqual(['begin', 'end', ...ending]);
  });

  test('is replaced after an uncaught exception', async () => {
    const { server, port } = await startServer({ shards: 1, timeouts: { closeTimeoutMs: 2_000 } }, life.fixture);
    await exchange(port, get('/throw'));
    await until(() => server.stats().shards[0].restarts === 1, 'the replacement');
    expect(life.notes.slice(0, 5)).toEqual(['begin', 'end', ...ending]);
    await server.close();
  });
});

test.each(['SIGTERM', 'SIGUSR2'])(
  'warns once about an app that listens for %s, which never arrives',
  async (signal) => {
    life.mark(signal);
    const { server, logged } = await startServer({ shards: 2 }, life.fixture);
    await server.close();
    const said = logged.filter(({ level, message }) => level === 'warn' && /never receive signals/.test(message));
    expect(said.map(({ details }) => details.signal)).toEqual([signal]);
  },
);

describe('closed output does not end the server', () => {
  const start = async (): Promise<[Program, number]> => {
    const program = loopshard('serve', life.url, '--port', '0', '--shards', '1');
    const [, port] = await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
    return [program, Number(port)];
  };

  test.each(['stdout', 'stderr'] as const)('%s, with output of handlers and the log', async (name) => {
    const [program, port] = await start();
    program.child[name]!.destroy();
    for (let i = 0; i < 3; i++) {
      expect((await exchange(port, get('/print'))).status).toBe(200);
      expect((await exchange(port, get('/fail'))).status).toBe(500);
    }
    program.child.kill('SIGTERM');
    expect([await program.exit(), program.child.signalCode]).toEqual([0, null]);
  });

  test('but open output receives what handlers print', async () => {
    const [program, port] = await start();
    await exchange(port, get('/print'));
    await program.printed(/printed/);
    await until(() => program.stderr.split('printed').length === 101, 'all lines of standard error');
    await until(() => program.stdout.split('printed').length === 101, 'all lines of standard output');
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
  });
});
