import { createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
import { loopshard, type Program } from './support/process.js';

const APP = 'test/fixtures/app.js';
const listens = /listens on http:\/\/127\.0\.0\.1:(\d+)/;

async function start(...args: string[]): Promise<{ program: Program; port: number }> {
  const program = loopshard('serve', APP, '--port', '0', ...args);
  const [, port] = await program.printed(listens);
  return { program, port: Number(port) };
}

test('--help lists every option with its range and default', async () => {
  const program = loopshard('serve', '--help');
  expect(await program.exit()).toBe(0);
  for (const option of [
    '--port',
    '--host',
    '--shards',
    '--groups',
    '--permits',
    '--batch',
    '--dispatch',
    '--shed',
    '--slots',
  ]) {
    expect(program.stdout).toContain(option);
  }
  expect(program.stdout).toMatch(
    /--permits <number> +handlers in flight on each shard, or\s+adaptive, 1 to 65536 \(default: 512\)/,
  );
});

test('the start-up line says the address, shards, permits and batch', async () => {
  const { program, port } = await start('--shards', '2', '--permits', '100', '--batch', '50');
  expect(program.stdout).toBe(
    `loopshard 0.1.0 listens on http://127.0.0.1:${port}; shards: 2, permits: 100, batch: 50\n`,
  );
  expect((await exchange(port, get('/json'))).status).toBe(200);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

describe('signals', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s finishes what is in flight and exits with 0', async (signal) => {
    const { program, port } = await start();
    const client = await RawClient.open(port);
    client.write(get('/later/300/finished'));
    const probe = await RawClient.open(port);
    probe.write(get('/json'));
    await probe.response();
    program.child.kill(signal);
    const answer = await client.response();
    expect(answer.body.toString()).toBe('finished');
    expect(answer.fields).toContainEqual(['connection', 'close']);
    client.destroy();
    probe.destroy();
    expect(await program.exit()).toBe(0);
  });

  test('a second one exits at once', async () => {
    const { program, port } = await start();
    const client = await RawClient.open(port);
    client.write(get('/later/60000/never'));
    const probe = await RawClient.open(port);
    probe.write(get('/json'));
    await probe.response();
    program.child.kill('SIGINT');
    await program.printed(/draining/);
    program.child.kill('SIGINT');
    expect(await program.exit()).toBe(1);
    client.destroy();
    probe.destroy();
  });
});

describe('what goes wrong at the start is one sentence with a code, exit code 1 and no stack', () => {
  test.each([
    [
      'a path that does not exist',
      ['nowhere.js'],
      /^loopshard: There is no file .*nowhere\.js; .* \(MODULE_NOT_FOUND\)$/,
    ],
    [
      'a module without an app',
      ['test/fixtures/no-app.js'],
      /has no app as its default export.*\(MODULE_WITHOUT_APP\)$/,
    ],
    ['a module that throws', ['test/fixtures/throws.js'], /TypeError: on purpose \(MODULE_FAILED\)$/],
    [
      'a module that ends its thread',
      ['test/fixtures/exits.js'],
      /Shard \d ended before it was ready.*\(SHARD_FAILED\)$/,
    ],
    ['routes that collide', ['test/fixtures/collision.js'], /The route GET \/a collides .*\(ROUTE_DUPLICATE\)$/],
    [
      'a route that is not valid',
      ['test/fixtures/bad-route.js'],
      /The route GET no-slash is not valid.*\(ROUTE_INVALID\)$/,
    ],
    ['routes that differ between threads', ['test/fixtures/differs.js', '--shards', '2'], /\(ROUTES_DIFFER\)$/],
    [
      'an option out of range',
      [APP, '--shards', '0'],
      /^loopshard: The option shards must be an integer from 1 to 64, not 0\. \(OPTION_INVALID\)$/,
    ],
    ['options that contradict', [APP, '--slots', '65536', '--slot-bytes', '1048576'], /\(MEMORY_EXHAUSTED\)$/],
    [
      'a host that is not here',
      [APP, '--host', '192.0.2.1'],
      /Cannot listen on port 8000 of 192\.0\.2\.1.*\(LISTEN_FAILED\)$/,
    ],
  ])('%s', async (_name, args, sentence) => {
    const program = loopshard('serve', ...args);
    expect(await program.exit()).toBe(1);
    expect(program.stderr.trimEnd()).toMatch(sentence);
    expect(program.stderr.trimEnd()).not.toContain('\n');
    expect(program.stdout).toBe('');
  });

  test('a port in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const program = loopshard('serve', APP, '--port', String(port));
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toBe(
      `loopshard: Port ${port} of 127.0.0.1 is in use; stop what listens there, or choose another port. (PORT_IN_USE)\n`,
    );
    other.close();
  });

  test('an option that is no number, an unknown one, and a missing module', async () => {
    for (const args of [['serve', APP, '--shards', 'two'], ['serve', APP, '--frobnicate'], ['serve']]) {
      const program = loopshard(...args);
      expect(await program.exit()).toBe(1);
      expect(program.stderr).toMatch(/^error: /);
      expect(program.stderr).not.toMatch(/\n +at /);
    }
  });
});
