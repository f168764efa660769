import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { TopModel } from '../build/src/top/model.js';
import { screenLines } from '../build/src/top/screen.js';
import { askAdmin } from './support/admin.js';
import { exchange, get } from './support/client.js';
import { loopshard, Program, root } from './support/process.js';
import { describeWith } from './support/programs.js';
import { createRandom } from './support/random.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';
import { Stage } from './support/stage.js';

const TOKEN = 'a-token-of-some-length';
let stage: Stage | undefined;
let running: TestServer | undefined;
const terminals: ChildProcess[] = [];

async function start(options: ServeOptions = {}): Promise<{ server: TestServer; url: string }> {
  stage = new Stage();
  running = await startServer({ shards: 2, ...ONE_HTTP_THREAD, admin: { port: 0 }, ...options }, 'scheduling-app.js');
  return { server: running, url: `http://127.0.0.1:${running.server.adminAddress()!.port}` };
}

/** Without the sequences that control a terminal. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
  return text.replaceAll(/\x1b\[[\d?]*\w/g, '').replaceAll('\r', '');
}

afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.kill('SIGKILL');
  stage?.end();
  if (running === undefined) return;
  await expectConserved(running);
  await running.server.close();
  running = undefined;
});

describe('without a terminal it prints one snapshot', () => {
  test('of shards, routes and figures', async () => {
    const { server, url } = await start();
    for (let i = 0; i < 20; i++) await exchange(server.port, get('/thread'));
    const holding = await stage!.send(server, '/hold/a');
    await until(() => stage!.started.length === 1, 'the handler that blocks');
    const program = loopshard('top', url);
    expect(await program.exit()).toBe(0);
    stage!.release('a');
    await holding.response;
    expect(program.stderr).toBe('');
    const { stdout } = program;
    expect(stdout).not.toContain('\x1b');
    expect(stdout).toMatch(/^LoopShard ready {2}\d connections? · 1 of [\d,]+ slots taken · 0 rejected/);
    expect(stdout).toMatch(/\n[\d.]+ requests\/s {2}p50 /);
    const { body } = await askAdmin(server, '/activity');
    for (const { shard, requests } of body.shards)
      expect(stdout).toMatch(new RegExp(`\\n${shard} +default +ready +\\d+ % +\\d/512 +${requests} `));
    expect(stdout).toMatch(/100 % +1\/512 +\d+ [\d.]+ m?s GET \/hold\/:id/);
    expect(stdout).toMatch(/\nGET \/thread +0 /);
  });

  test('without metrics too', async () => {
    const { url } = await start({ metrics: false });
    const program = loopshard('top', '--once', url);
    expect(await program.exit()).toBe(0);
    expect(program.stdout).toMatch(/ready {2}0 connections · no metrics/);
  });
});

describe('errors say what to do', () => {
  test('if nothing listens there', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await until(() => free.listening, 'a port');
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const program = loopshard('top', String(port));
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toBe(
      `loopshard: No admin listener at http://127.0.0.1:${port}: ECONNREFUSED. Start the server with \`--admin-port 9000\`, and pass the address that it prints. (ADMIN_UNREACHABLE)\n`,
    );
  });

  test('if something else listens there', async () => {
    const { server } = await start();
    const program = loopshard('top', `127.0.0.1:${server.port}`);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toBe(
      `loopshard: http://127.0.0.1:${server.port} is not an admin listener of LoopShard. Pass the address that the server prints after \`admin:\`. (ADMIN_UNREACHABLE)\n`,
    );
  });

  test('if the address is none', async () => {
    const program = loopshard('top', 'http://:x');
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toBe(
      'loopshard: Invalid address `http://:x`: expected a port or a URL, such as `http://127.0.0.1:9000`. (OPTION_INVALID)\n',
    );
  });

  test('if the token is missing or wrong', async () => {
    const { url } = await start({ admin: { port: 0, token: TOKEN } });
    const runWith = async (token: string | undefined) => {
      const env = { ...process.env, LOOPSHARD_ADMIN_TOKEN: token };
      const program = new Program(process.execPath, ['build/dist/cli.js', 'top', url], { env });
      return { code: await program.exit(), ...program };
    };
    const hint =
      'Set the environment variable LOOPSHARD_ADMIN_TOKEN to the one of the server. (ADMIN_TOKEN_REQUIRED)\n';
    expect((await runWith(undefined)).stderr).toBe(`loopshard: The admin listener at ${url} needs a token. ${hint}`);
    expect((await runWith('wrong')).stderr).toBe(`loopshard: The admin listener at ${url} rejects this token. ${hint}`);
    expect((await runWith(TOKEN)).code).toBe(0);
  });
});

test('the screen fits any size, and names of routes cannot move the cursor', async () => {
  const { server } = await start();
  await exchange(server.port, get('/busy/5'));
  const [{ body: activity }, { body: overview }, { body: history }] = await Promise.all(
    ['/activity', '/overview', '/history'].map((path) => askAdmin(server, path)),
  );
  const random = createRandom();
  const model = new TopModel();
  model.onEvent('history', history);
  model.onEvent('overview', {
    ...overview,
    sample: { at: 1, requestsPerS: 1_234, p50Us: 99, p99Us: 12_345 },
    routes: Array.from({ length: 40 }, (_, i) => ({
      ...overview.routes[0],
      route: `GET /\x1b[2J${'x'.repeat(i)}`,
      hint: 'Do less.',
    })),
  });
  const [view] = activity.shards;
  const list = { count: 3, routes: [{ route: 'GET /\x1b[H', count: 3, us: 1_500_000 }] };
  const shards = Array.from({ length: 20 }, (_, shard) => ({
    ...view,
    shard,
    running: { route: 'GET /a\n', us: 60_000 },
    waiting: list,
  }));
  model.onEvent('activity', { ...activity, shards });
  for (let i = 0; i < 10; i++) model.onEvent('shard', { at: i, shard: i, state: 'ready' });
  for (let round = 0; round < 200; round++) {
    const [columns, rows] = [1 + Math.floor(random() * 250), 1 + Math.floor(random() * 80)];
    const lines = screenLines(model, { columns, rows, hasColors: false });
    expect(lines.length).toBeLessThanOrEqual(rows);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
    expect(lines.join('')).not.toMatch(/\p{Cc}/u);
    const colored = screenLines(model, { columns, rows, hasColors: true });
    expect(colored.map(plain)).toEqual(lines);
  }
});

describeWith('script', (script) => {
  /** A terminal with 100 columns and 30 rows that runs `loopshard top`. */
  function openTerminal(url: string) {
    const command = `stty cols 100 rows 30; exec ${process.execPath} build/dist/cli.js top ${url}`;
    const child = spawn(script, ['-qfec', command, '/dev/null'], {
      cwd: root,
      env: { ...process.env, TERM: 'xterm-256color' },
    });
    terminals.push(child);
    const seen = { text: '', code: undefined as number | null | undefined };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      seen.text += text;
    });
    child.once('close', (code) => {
      seen.code = code;
    });
    return { child, seen };
  }

  test.each([
    ['q', 'q'],
    ['Ctrl-C', '\x03'],
  ])('it draws until %s is pressed, and restores the screen', async (_name, key) => {
    const { server, url } = await start();
    const { child, seen } = openTerminal(url);
    await until(() => seen.text.includes('SHARD'), 'the first screen');
    expect(seen.text).toContain('\x1b[?1049h\x1b[?25l\x1b[H');
    const holding = await stage!.send(server, '/hold/a');
    await until(() => /GET \/hold\/:id/.test(seen.text), 'the running route');
    stage!.release('a');
    await holding.response;
    child.stdin!.write(key);
    await until(() => seen.code !== undefined, 'its end');
    expect(seen.code).toBe(0);
    expect(seen.text.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
  });

  test('it says when the connection is lost, and goes on when the server is back', async () => {
    const { server, url } = await start();
    const { child, seen } = openTerminal(url);
    await until(() => seen.text.includes('SHARD'), 'the first screen');
    const { port } = server.server.adminAddress()!;
    await server.server.close();
    await until(() => seen.text.includes('The connection to the server is lost'), 'the news');
    running = await startServer({ shards: 3, ...ONE_HTTP_THREAD, admin: { port } }, 'scheduling-app.js');
    seen.text = '';
    await until(() => /\n2 +ready +/.test(plain(seen.text)), 'the third shard');
    child.stdin!.write('q');
    await until(() => seen.code !== undefined, 'its end');
  });
});
