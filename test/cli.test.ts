import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import {
  entryOf,
  type Flag,
  flagsOf,
  namesIn,
  OPTION_NAMES,
  type OptionName,
  pathOf,
  SECTION_NAMES,
  SECTIONS,
} from '../build/src/options/table.js';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { loopshard, Program, root } from './support/process.js';
import { until } from './support/server.js';

const APP = 'test/fixtures/app.js';
const listens = /listens on http:\/\/127\.0\.0\.1:(\d+)/;

async function end(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
}

async function start(...args: string[]): Promise<{ program: Program; port: number }> {
  const program = loopshard('serve', APP, '--port', '0', ...args);
  const [, port] = await program.printed(listens);
  return { program, port: Number(port) };
}

/** Runs a command that must succeed, and returns its output. */
async function printed(...args: string[]): Promise<string> {
  const program = loopshard(...args);
  expect(await program.exit()).toBe(0);
  expect(program.stderr).toBe('');
  return program.stdout;
}

test('--help fits into a terminal of 80 by 24, prompt included, and shows the top-level options', async () => {
  const help = await printed('serve', '--help');
  const lines = help.trimEnd().split('\n');
  expect(lines.length).toBeLessThan(24);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const shown = [...help.matchAll(/^ {2}(?:-h, )?(--[\w-]+)/gm)].map(([, flag]) => flag);
  const common = namesIn(undefined).filter((name) => !entryOf(name).isRare);
  const isCommon = ({ isRare }: Flag) => isRare !== true;
  expect(shown.filter((flag) => !flag.startsWith('--help')).sort()).toEqual(flagsOfAll(common, isCommon));
  expect(help).toContain('--help-all');
  expect(help).toMatch(/--port <number> +port to listen on; 0 takes a free one \(default: 8000\)/);
});

test('--help-all shows every option, by group, in 80 columns', async () => {
  const help = await printed('serve', '--help-all');
  expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  const sections = help.split(/\n(?=\w+: )/).slice(1);
  for (const name of SECTION_NAMES) {
    const section = sections.find((text) => text.startsWith(`${name}: ${SECTIONS[name].text}`))!;
    const shown = [...section.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag);
    expect(shown.sort()).toEqual(flagsOfAll(namesIn(name)));
  }
  const all = [...help.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag).filter((flag) => flag !== '--help-all');
  expect(all.sort()).toEqual(flagsOfAll(OPTION_NAMES));
  expect(all.length).toBeGreaterThan(50);
  expect(help.replaceAll(/\s+/g, ' ')).toContain(
    '--permits <number> handlers in flight on each shard, or adaptive (default: 512)',
  );
});

function flagsOfAll(names: readonly OptionName[], isShown: (flag: Flag) => boolean = () => true): string[] {
  const flags = names.flatMap((name) => flagsOf(name).filter(isShown));
  return flags.map(({ flag }) => flag.split(' ')[0]).sort();
}

describe('the start-up line shows', () => {
  test('the address, routes, shards and the destination of the log', async () => {
    const { program, port } = await start('--http-threads', '1', '--shards', '2');
    // readme.test.ts checks the number of routes of README.md's app.
    const facts = /; routes: [1-9]\d*; shards: 2; log: stderr, level warn\n$/;
    expect(program.stdout).toMatch(facts);
    expect(program.stdout.replace(facts, '')).toBe(`loopshard 0.1.0 listens on http://127.0.0.1:${port}`);
    expect((await exchange(port, get('/json'))).status).toBe(200);
    await end(program);
  });

  test('the shards of each group, and the level of the access log', async () => {
    const { program } = await start('--groups', 'default=2,cpu=1', '--http-threads', '1', '--access-log');
    expect(program.stdout).toMatch(/; shards: 3 \(default 2, cpu 1\); log: stderr, level info\n$/);
    await end(program);
  });
});

test.each([
  ['2', '10.0.0.1'],
  ['loopback', '10.0.0.2'],
])('--trust-proxy accepts a number or addresses: %s', async (proxies, client) => {
  const { program, port } = await start('--trust-proxy', proxies);
  const answer = await exchange(port, get('/client', 'X-Forwarded-For: 10.0.0.1, 10.0.0.2'));
  expect(answer.body.toString()).toBe(client);
  await end(program);
});

test('every integer option has a flag that serve() checks', async () => {
  const integers = OPTION_NAMES.filter((name) => entryOf(name).kind === 'integer');
  expect(integers.length).toBeGreaterThan(25);
  for (const name of integers) {
    const [flag] = flagsOf(name)[0].flag.split(' ');
    const program = loopshard('serve', APP, `${flag}=-1`);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toMatch(
      new RegExp(
        `^loopshard: Option \`${pathOf(name)}\` must be an integer from \\d+ to \\d+, got -1\\. \\(OPTION_INVALID\\)`,
      ),
    );
  }
});

test('rejects a second module instead of ignoring it', async () => {
  const program = loopshard('serve', APP, APP);
  expect(await program.exit()).toBe(1);
  expect(program.stderr).toContain("error: too many arguments for 'serve'. Expected 1 argument but got 2");
});

describe('options of the front end', () => {
  test('limits and the access log', async () => {
    const limits = ['--max-target-bytes', '100', '--max-head-bytes', '400', '--max-header-fields', '5'];
    const { program, port } = await start(...limits, '--max-requests-per-connection', '2', '--access-log');
    expect((await exchange(port, get(`/${'a'.repeat(100)}`))).status).toBe(414);
    expect((await exchange(port, get('/json', `X: ${'a'.repeat(400)}`))).status).toBe(431);
    expect((await exchange(port, get('/json', 'A: 1', 'B: 1', 'C: 1', 'D: 1', 'E: 1'))).status).toBe(431);
    const client = await RawClient.open(port);
    client.write(get('/json') + get('/text'));
    expect(field(await client.response(), 'connection')).not.toBe('close');
    expect(field(await client.response(), 'connection')).toBe('close');
    await end(program);
    expect(program.stderr).toContain('"target":"/text"');
    client.destroy();
  });

  test('timeouts', async () => {
    const { program, port } = await start('--headers-timeout-ms', '200', '--request-timeout-ms', '400');
    const expectTimeout = async (bytes: string | Uint8Array, atLeastMs: number) => {
      const since = performance.now();
      expect((await exchange(port, bytes)).status).toBe(408);
      expect(performance.now() - since).toBeGreaterThan(atLeastMs - 2);
    };
    await expectTimeout('GET /json HTTP/1.1\r\n', 200);
    await expectTimeout(post('/echo', 'unfinished').subarray(0, -1), 400);
    await end(program);
  });

  test('a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    const socketPath = join(folder, 'socket');
    const program = loopshard('serve', APP, '--path', socketPath);
    await program.printed(/listens on (\S+);/);
    expect(program.stdout).toContain(`listens on ${socketPath}; routes: `);
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath, path: '/json', agent: false });
      request
        .once('response', (response) => resolve(response.resume().statusCode))
        .once('error', reject)
        .end();
    });
    expect(status).toBe(200);
    await end(program);
    rmSync(folder, { recursive: true });
    const contradiction = loopshard('serve', APP, '--path', socketPath, '--host', '::1');
    expect(await contradiction.exit()).toBe(1);
    expect(contradiction.stderr).toMatch(/a server listens in one place\..*\(OPTION_INVALID\)/);
  });

  (process.platform === 'win32' ? test.skip : test)('an inherited descriptor', async () => {
    const listening = createServer();
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as AddressInfo;
    const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
    const program = new Program(process.execPath, ['build/dist/cli.js', 'serve', APP, '--fd', '3'], {
      descriptors: [fd],
    });
    expect((await program.printed(listens))[1]).toBe(String(port));
    listening.close();
    expect((await exchange(port, get('/json'))).status).toBe(200);
    await end(program);
  });

  (process.platform === 'win32' ? test.skip : test)('TLS, with a certificate that SIGHUP reloads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const install = (name: string) => {
      copyFileSync(`${root}test/fixtures/tls/${name}-key.pem`, key);
      copyFileSync(`${root}test/fixtures/tls/${name}-cert.pem`, cert);
    };
    install('first');
    const program = loopshard('serve', APP, '--port', '0', '--tls-key', key, '--tls-cert', cert);
    const port = Number((await program.printed(/listens on https:\/\/127\.0\.0\.1:(\d+)/))[1]);
    expect(await subjectOf(port)).toBe('first.test');
    writeFileSync(key, 'no key');
    program.child.kill('SIGHUP');
    await until(() => program.stderr.includes('(TLS_INVALID)'), 'the log line about the refusal');
    expect(await subjectOf(port)).toBe('first.test');
    install('second');
    program.child.kill('SIGHUP');
    await program.printed(/SIGHUP/);
    expect(await subjectOf(port)).toBe('second.test');
    await end(program);
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['only a key', ['--tls-key', 'key.pem'], /Set both --tls-key and --tls-cert.*\(OPTION_INVALID\)/],
    [
      'no such file',
      ['--tls-key', 'a.pem', '--tls-cert', 'b.pem'],
      /Cannot read the file of --tls-key or --tls-cert: ENOENT.*\(TLS_INVALID\)/,
    ],
  ])('TLS with %s', async (_name, args, sentence) => {
    const program = loopshard('serve', APP, ...args);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toMatch(sentence);
  });
});

/** Returns the name in the certificate of a new connection. */
function subjectOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
  });
}

describe('signals', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s waits for requests in flight and exits with 0', async (signal) => {
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

  test('a second signal exits immediately', async () => {
    const { program, port } = await start();
    const client = await RawClient.open(port);
    client.write(get('/later/60000/never'));
    const probe = await RawClient.open(port);
    probe.write(get('/json'));
    await probe.response();
    program.child.kill('SIGINT');
    await program.printed(/^loopshard: SIGINT: finishing open requests\. Press Ctrl\+C again to exit immediately\.$/m);
    program.child.kill('SIGINT');
    expect(await program.exit()).toBe(1);
    client.destroy();
    probe.destroy();
  });
});

describe('prints one sentence with a code and no stack, and exits with 1, for', () => {
  test.each([
    [
      'a path that does not exist',
      ['nowhere.js'],
      /^loopshard: Cannot find .*nowhere\.js\. Pass the path of the module that exports your app\. \(MODULE_NOT_FOUND\)$/,
    ],
    [
      'a path without its extension',
      ['test/fixtures/app'],
      /^loopshard: Cannot find .*app\. Did you mean .*fixtures.app\.js\? \(MODULE_NOT_FOUND\)$/,
    ],
    [
      'a directory',
      ['examples/quickstart'],
      /^loopshard: .*quickstart is a directory\. Did you mean .*quickstart.app\.js\? \(MODULE_NOT_FOUND\)$/,
    ],
    [
      'a directory without an app',
      ['test/support'],
      /^loopshard: .*support is a directory\. Pass the path of the module .* \(MODULE_NOT_FOUND\)$/,
    ],
    [
      'a module that imports a missing one',
      ['test/fixtures/imports-nothing.js'],
      /Cannot find package 'not-installed' imported from .*imports-nothing\.js.*\(MODULE_FAILED\)$/,
    ],
    [
      '--dispatch together with --dispatch-key',
      [APP, '--dispatch', 'round-robin', '--dispatch-key', 'header:x'],
      /^loopshard: Set either --dispatch or --dispatch-key, not both\. \(OPTION_INVALID\)$/,
    ],
    [
      'a module without an app',
      ['test/fixtures/no-app.js'],
      /has no app as its default export.*\(MODULE_WITHOUT_APP\)$/,
    ],
    [
      'a module that ends its thread',
      ['test/fixtures/exits.js'],
      /Shard \d ended before it was ready.*\(SHARD_FAILED\)$/,
    ],
    ['routes that differ between threads', ['test/fixtures/differs.js', '--shards', '2'], /\(ROUTES_DIFFER\)$/],
    [
      'an option out of range',
      [APP, '--shards', '65'],
      /^loopshard: Option `shards` must be an integer from 0 to 64, got 65\. \(OPTION_INVALID\)$/,
    ],
    ['contradictory options', [APP, '--slots', '65536', '--slot-bytes', '1048576'], /\(MEMORY_EXHAUSTED\)$/],
    [
      'a host name of another machine',
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
      `loopshard: Port ${port} of 127.0.0.1 is in use. Stop what listens there, or choose another port. (PORT_IN_USE)\n`,
    );
    other.close();
  });

  test.each([
    [
      'an option that is not a number',
      ['serve', APP, '--shards', 'two'],
      "argument 'two' is invalid. It must be an integer, or a range such as 2-8.",
    ],
    ['an invalid list', ['serve', APP, '--groups', '2'], 'It must be a list such as default=2,cpu=2.'],
    ['an unknown option', ['serve', APP, '--slot', '5'], "unknown option '--slot'\n(Did you mean --slots?)"],
    ['an unknown option without a command', ['--frobnicate'], "unknown option '--frobnicate'"],
    ['no module', ['serve'], "missing required argument 'module'"],
    [
      'a module without a command',
      ['app.js'],
      "unknown command 'app.js'. To serve a module, run 'loopshard serve app.js'.",
    ],
    [
      'a module without a command, with options',
      ['app.js', '--port', '0'],
      "unknown command 'app.js'. To serve a module, run 'loopshard serve app.js'.",
    ],
  ])('%s', async (_name, args, sentence) => {
    const program = loopshard(...args);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toMatch(/^error: /);
    expect(program.stderr).toContain(sentence);
    expect(program.stderr).toContain("Run 'loopshard serve --help' to see the usage.");
    expect(program.stderr).not.toMatch(/\n +at /);
  });

  test('no arguments at all', async () => {
    const program = loopshard();
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toContain('Usage: loopshard');
  });
});
