import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ThreadOptions } from 'loopshard';
import { exchange, get } from './support/client.js';
import { loopshard, root } from './support/process.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const FIRST = new URL('./fixtures/preloaded-first.js', import.meta.url);
const SECOND = new URL('./fixtures/preloaded-second.cjs', import.meta.url);
const ORDER = ['first', 'second', 'app'];

describe('threads.preload', () => {
  let running: TestServer | undefined;

  afterEach(async () => {
    if (running === undefined) return;
    await expectConserved(running);
    await running.server.close();
    running = undefined;
  });

  const start = async (preload: ThreadOptions['preload']) => {
    running = await startServer({ shards: 2, threads: preload === undefined ? {} : { preload } }, 'preload-app.js');
    return running;
  };
  const read = async ({ port }: TestServer) => JSON.parse((await exchange(port, get('/loaded'))).body.toString());

  test('imports modules in their order before the app, on every shard, also after a reload', async () => {
    const { server } = await start([FIRST, fileURLToPath(SECOND)]);
    const threads = new Set<number>();
    const collect = async () => {
      const { loaded, threadId } = await read(running!);
      expect(loaded).toEqual(ORDER);
      threads.add(threadId);
    };
    await until(async () => {
      await Promise.all(Array.from({ length: 20 }, collect));
      return threads.size === 2;
    }, 'both shards');
    await server.reload();
    const { loaded, threadId } = await read(running!);
    expect(loaded).toEqual(ORDER);
    expect(threads).not.toContain(threadId);
  });

  test('takes one path, relative to the working directory', async () => {
    expect((await read(await start(relative('', fileURLToPath(FIRST))))).loaded).toEqual(['first', 'app']);
  });

  test('fails the start if a module is missing, fails, or is not a path', async () => {
    await expect(start('./no-such-module.js')).rejects.toMatchObject({
      code: 'MODULE_NOT_FOUND',
      message: expect.stringMatching(/^Cannot find .*no-such-module\.js\./),
    });
    await expect(start(new URL('?fails', FIRST))).rejects.toMatchObject({
      code: 'MODULE_FAILED',
      message: expect.stringMatching(/preloaded-first\.js: TypeError: the preloaded module fails/),
    });
    await expect(start([7] as never)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'Option `threads.preload` must be a path or a URL, or an array of them, got 7.',
    });
  });
});

test.each([[2], [0]])('--preload may be repeated, with %i shards', async (shards) => {
  const preloads = [FIRST, SECOND].flatMap((module) => ['--preload', fileURLToPath(module)]);
  const app = `${root}/test/fixtures/preload-app.js`;
  const program = loopshard('serve', app, '--port', '0', '--shards', String(shards), ...preloads);
  const [, port] = await program.printed(/127\.0\.0\.1:(\d+)/);
  expect(JSON.parse((await exchange(Number(port), get('/loaded'))).body.toString()).loaded).toEqual(ORDER);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});
