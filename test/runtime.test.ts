import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { exchange, get } from './support/client.js';
import { loopshard, Program, root } from './support/process.js';
import { startServer } from './support/server.js';

const settings = async (port: number) => JSON.parse((await exchange(port, get('/'))).body.toString());

describe('the error names what is disabled or missing:', () => {
  test.each([
    ['--jitless', /WebAssembly is not available: Node\.js runs with --jitless\./],
    ['--frozen-intrinsics', /Changing built-in objects is not available: Node\.js runs with --frozen-intrinsics\./],
    [
      '--disallow-code-generation-from-strings',
      /Compiling code from strings is not available: Node\.js runs with --disallow-code-generation-from-strings\./,
    ],
  ])('%s', async (flag, sentence) => {
    const program = new Program(process.execPath, [flag, 'build/dist/cli.js', 'serve', 'test/fixtures/app.js']);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toMatch(sentence);
    expect(program.stderr).toContain('RUNTIME_UNSUPPORTED');
  });

  (process.platform === 'linux' ? test : test.skip)('a limit of address space', async () => {
    const code = `import { CoreMemory } from './build/src/core/memory.js';
      try { CoreMemory.create(2e9); } catch ({ code, message }) { console.log(code, message); }`;
    const node = `"${process.execPath}" --input-type=module -e "$1"`;
    const program = new Program('sh', ['-c', `ulimit -v 3000000 && exec ${node}`, 'sh', code]);
    expect(await program.exit()).toBe(0);
    expect(program.stdout).toMatch(
      /^MEMORY_EXHAUSTED .*the process is limited to 3072000000 bytes: raise `ulimit -v`\.$/m,
    );
  });

  test('files of the package that are not in a bundle', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    cpSync(`${root}build/dist`, join(folder, 'build/dist'), { recursive: true });
    cpSync(`${root}package.json`, join(folder, 'package.json'));
    symlinkSync(`${root}node_modules`, join(folder, 'node_modules'), 'dir');
    const args = [join(folder, 'build/dist/cli.js'), 'serve', 'test/fixtures/app.js', '--port', '0'];
    const program = new Program(process.execPath, args);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toMatch(
      /^loopshard: Cannot read .*loopshard\.wasm.* mark loopshard as external .*\(RUNTIME_UNSUPPORTED\)$/m,
    );
    rmSync(folder, { recursive: true });
  });
});

describe('settings of shard threads', () => {
  test('by option', async () => {
    const { server, port } = await startServer(
      {
        shards: 1,
        threads: {
          resourceLimits: { maxOldGenerationSizeMb: 64 },
          env: { GREETING: 'hello' },
          execArgv: ['--no-warnings'],
        },
      },
      'settings.js',
    );
    expect(await settings(port)).toEqual({ heap: 64, greeting: 'hello', hasPath: false, flags: ['--no-warnings'] });
    await server.close();
  });

  test('by flag', async () => {
    const flags = [
      '--resource-limits',
      'maxOldGenerationSizeMb=64',
      '--env',
      'GREETING=hello',
      '--exec-argv=--no-warnings',
    ];
    const program = loopshard('serve', 'test/fixtures/settings.js', '--port', '0', '--shards', '1', ...flags);
    const [, port] = await program.printed(/127\.0\.0\.1:(\d+)/);
    expect(await settings(Number(port))).toEqual({
      heap: 64,
      greeting: 'hello',
      hasPath: true,
      flags: ['--no-warnings'],
    });
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
  });

  test('name flags that a thread cannot have', async () => {
    await expect(
      startServer({ shards: 1, threads: { execArgv: ['--title=no'] } }, 'settings.js'),
    ).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(
        /^Node\.js does not accept these flags for worker threads: --title=no\. .*`threads\.execArgv`/,
      ),
    });
  });

  test.each([
    [{ threads: { resourceLimits: { maxOldGenerationSizeMb: 0 } } }, 'threads.resourceLimits.maxOldGenerationSizeMb'],
    [{ threads: { resourceLimits: { heap: 5 } as never } }, 'threads.resourceLimits.heap'],
    [{ threads: { env: { A: 1 } as never } }, 'threads.env.A'],
    [{ threads: { execArgv: '--no-warnings' as never } }, 'threads.execArgv'],
    [{ recovery: { onUncaught: 'ignore' as never } }, 'recovery.onUncaught'],
  ])('reject %j', async (options, name) => {
    await expect(startServer(options, 'settings.js')).rejects.toMatchObject({
      code: expect.stringMatching(/^OPTION_/),
      message: expect.stringContaining(name),
    });
  });
});
