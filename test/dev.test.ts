import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { typeScriptLoaders } from '../build/src/dev/typescript.js';
import { canReusePort } from '../build/src/options/http-threads.js';
import { exchange, field, get } from './support/client.js';
import { Program, root } from './support/process.js';
import { startServer, until } from './support/server.js';

let folder: string;
let running: Program | undefined;
let port: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'loopshard'));
});

afterEach(async () => {
  running?.child.kill('SIGTERM');
  await running?.exit();
  running = undefined;
  rmSync(folder, { recursive: true });
});

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

const APP = `
import { createApp } from 'loopshard';
import { version } from './version.mjs';
export default createApp()
  .get('/', () => version)
  .all('/express', (req, res) => res.json({}))
  .get('/fail', () => {
    throw new Error('<wrong>', { cause: new RangeError('too far') });
  });
`;

function launch(module: string, ...flags: string[]): Program {
  const command = [join(root, 'build/dist/cli.js'), 'dev', module, '--port', '0', '--shards', '1', ...flags];
  running = new Program(process.execPath, command, { cwd: folder });
  return running;
}

async function untilListening(program: Program): Promise<void> {
  port = Number((await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
}

const text = async (target = '/') => (await exchange(port, get(target))).body.toString();
const untilText = (expected: string) => until(async () => (await text()) === expected, `the response ${expected}`);

describe('a change', () => {
  test('during the start reloads the app', async () => {
    write(
      'app.mjs',
      `${APP}
import { existsSync, writeFileSync } from 'node:fs';
writeFileSync('loading', '');
while (!existsSync('release')) await new Promise((resolve) => setTimeout(resolve, 2));
`,
    );
    write('version.mjs', "export const version = 'one';");
    const program = launch('app.mjs');
    await until(() => existsSync(join(folder, 'loading')), 'the start of the module');
    write('app.mjs', APP.replace('=> version', "=> 'two'"));
    write('release', '');
    await untilListening(program);
    await untilText('two');
  });

  test('of a module that the app imports reloads it, and of what that one imports', async () => {
    write('app.mjs', APP);
    write('version.mjs', "export { version } from './deep.mjs';");
    write('deep.mjs', "export const version = 'one';");
    const program = launch('app.mjs');
    await untilListening(program);
    expect(await text()).toBe('one');
    write('deep.mjs', "export const version = 'two';");
    await untilText('two');
    await program.printed(/loopshard: deep\.mjs has changed: reloaded in \d+ ms\./);
    write('version.mjs', "export const version = 'three';");
    await untilText('three');
    write('app.mjs', APP.replace("'/fail'", "'/other'"));
    await program.printed(/^ {2}GET {5}\/other$/m);
    expect(program.stdout).toMatch(/^ {2}ALL {5}\/express$/m);
  });

  test('of a module that is loaded by `require` reloads the app', async () => {
    write(
      'app.cjs',
      "const { createApp } = require('loopshard'); module.exports = createApp().get('/', () => require('./version.cjs'));",
    );
    write(
      'app.mjs',
      "import { createApp } from 'loopshard'; import app from './version.cjs'; export default createApp().get('/', () => app);",
    );
    write('version.cjs', "module.exports = require('./deep.cjs');");
    write('deep.cjs', "module.exports = 'one';");
    await untilListening(launch('app.mjs'));
    expect(await text()).toBe('one');
    write('deep.cjs', "module.exports = 'two';");
    await untilText('two');
  });

  test('is seen after the file was renamed and created again, as editors do, or removed for a while', async () => {
    mkdirSync(join(folder, 'lib'));
    const file = join(folder, 'lib', 'version.mjs');
    const become = (version: string) => writeFileSync(file, `export const version = '${version}';`);
    write('app.mjs', APP.replace('./version.mjs', './lib/version.mjs'));
    become('0');
    const program = launch('app.mjs');
    await untilListening(program);
    for (const version of ['1', '2', '3']) {
      renameSync(file, `${file}~`);
      become(version);
      await untilText(version);
    }
    rmSync(file);
    await until(() => program.stderr.includes('continues to serve'), 'the report');
    become('4');
    await untilText('4');
    become('5');
    await untilText('5');
  });

  test('is seen in folders that were removed and created again', async () => {
    const lib = join(folder, 'src', 'lib');
    const create = (version: string) => {
      mkdirSync(lib, { recursive: true });
      writeFileSync(join(lib, 'version.mjs'), `export const version = '${version}';`);
    };
    write('app.mjs', APP.replace('./version.mjs', './src/lib/version.mjs'));
    create('0');
    const program = launch('app.mjs');
    await untilListening(program);
    expect(await text()).toBe('0');
    // At once, as `git checkout` does it.
    rmSync(join(folder, 'src'), { recursive: true });
    create('1');
    await untilText('1');
    create('2');
    await untilText('2');
    rmSync(join(folder, 'src'), { recursive: true });
    await until(() => program.stderr.includes('continues to serve'), 'the report');
    create('3');
    await untilText('3');
    create('4');
    await untilText('4');
  });

  /** A module that finishes loading once the file \`release\` exists. */
  const hanging = (version: string) => `
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
writeFileSync('hanging', '');
while (!existsSync('release')) await sleep(5);
export const version = '${version}';`;

  test('ends the start and the reload of code that does not finish loading', async () => {
    write('app.mjs', APP);
    write('version.mjs', hanging('never'));
    const program = launch('app.mjs', '--start-timeout-ms', '0');
    const untilHanging = () => until(() => existsSync(join(folder, 'hanging')), 'the module that hangs');
    await untilHanging();
    write('version.mjs', "export const version = 'one';");
    await untilListening(program);
    expect(await text()).toBe('one');
    rmSync(join(folder, 'hanging'));
    write('version.mjs', hanging('never'));
    await untilHanging();
    expect(await text()).toBe('one');
    write('version.mjs', "export const version = 'two';");
    await untilText('two');
    await program.printed(/reloaded/);
    expect(program.stderr).toBe('');
    expect(program.stdout.match(/reloaded in/g)).toHaveLength(1);
  });

  test('that breaks the app leaves the code before serving, and says where', async () => {
    write('app.mjs', APP);
    write('version.mjs', "export const version = 'one';");
    const program = launch('app.mjs');
    await untilListening(program);
    write('version.mjs', "export const version = 'one;");
    await until(() => program.stderr.includes('The code before the change continues to serve.'), 'the report');
    expect(program.stderr).toContain('version.mjs:1');
    expect(await text()).toBe('one');
    write('version.mjs', "export const version = 'two';");
    await untilText('two');
  });

  test('that creates a module which was missing loads the app again', async () => {
    write('app.mjs', APP);
    const program = launch('app.mjs');
    await until(() => program.stderr.includes('Waiting for a change.'), 'the report');
    write('version.mjs', "export const version = 'one';");
    await untilListening(program);
    expect(await text()).toBe('one');
    write('version.mjs', "export { version } from './later.mjs';");
    await until(() => program.stderr.includes('The code before the change continues to serve.'), 'the report');
    write('later.mjs', "export const version = 'two';");
    await untilText('two');
  });

  test('that mends an app which did not load starts the server', async () => {
    write('app.mjs', APP);
    write('version.mjs', "export const version = ''; throw new Error('no version');");
    const program = launch('app.mjs');
    await until(() => program.stderr.includes('Waiting for a change.'), 'the report');
    expect(program.stderr).toContain('no version');
    write('version.mjs', "export const version = 'one';");
    await untilListening(program);
    expect(await text()).toBe('one');
  });
});

describe('a handler that fails', () => {
  beforeEach(async () => {
    write('app.mjs', APP);
    write('version.mjs', "export const version = 'one';");
    await untilListening(launch('app.mjs'));
  });

  test('shows browsers a page with the source line', async () => {
    const response = await exchange(port, get('/fail', 'Accept: text/html,application/xhtml+xml'));
    expect([response.status, field(response, 'content-type')]).toEqual([500, 'text/html; charset=utf-8']);
    const page = response.body.toString();
    expect(page).toContain('Error: &#60;wrong&#62;');
    expect(page).toContain('app.mjs:8:');
    expect(page).toContain('throw new Error(');
    expect(page).toContain('Caused by RangeError: too far');
    expect(page).not.toContain('<wrong>');
  });

  test('shows others its message and stack as JSON', async () => {
    const { message, place, stack } = JSON.parse(await text('/fail'));
    expect([message, place]).toEqual(['Error: <wrong>', expect.stringMatching(/app\.mjs:8:\d+$/)]);
    expect(stack[0]).toContain('app.mjs:8:');
  });

  test('says what takes the place of the methods of Express', async () => {
    const advice = 'LoopShard sends what a handler returns: return the value.';
    expect(JSON.parse(await text('/express')).advice).toBe(advice);
    const page = (await exchange(port, get('/express', 'Accept: text/html'))).body.toString();
    expect(page).toContain(`<p>${advice}</p>`);
  });
});

test('without `loopshard dev`, clients do not see errors', async () => {
  const { server, port: ownPort } = await startServer();
  const response = await exchange(ownPort, get('/throw', 'Accept: text/html'));
  expect(response.status).toBe(500);
  expect(response.body.toString()).toContain('The server has logged the error.');
  await server.close();
});

test('TypeScript runs by type stripping or the tsx of the project', async () => {
  rmSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const dist = new URL('../build/dist/index.js', import.meta.url).href;
  const app = (value: string) =>
    `import { createApp } from '${dist}';\nconst value: string = '${value}';\nexport default createApp().get('/', (): string => value);`;
  write('app.ts', app('one'));
  await untilListening(launch('app.ts'));
  expect(await text()).toBe('one');
  write('app.ts', app('two'));
  await untilText('two');
});

test('the tsx of the project loads what type stripping does not', async () => {
  rmSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const dist = new URL('../build/dist/index.js', import.meta.url).href;
  write('version.ts', "export enum Version { one = 'one' }");
  write(
    'app.ts',
    `import { createApp } from '${dist}';\nimport { Version } from './version.js';\nexport default createApp().get('/', () => Version.one);`,
  );
  const program = launch('app.ts');
  await untilListening(program);
  expect(await text()).toBe('one');
  write('version.ts', "export enum Version { one = 'two' }");
  await untilText('two');
  write('version.ts', 'export enum Version {\n  one = ;\n}');
  await until(() => program.stderr.includes('continues to serve'), 'the report');
  expect(program.stderr.split('\n').slice(0, 4)).toEqual([
    `loopshard: Cannot load ${join(folder, 'app.ts')}: SyntaxError: Unexpected ";" (MODULE_FAILED)`,
    `${join(folder, 'version.ts')}:2:9`,
    '  one = ;',
    '        ^',
  ]);
});

test('TypeScript without either gets a sentence', () => {
  const strips = Boolean((process.features as { typescript?: unknown }).typescript);
  const url = new URL(`file://${folder}/app.ts`).href;
  if (strips) expect(typeScriptLoaders(url)).toEqual([]);
  else expect(() => typeScriptLoaders(url)).toThrow('Run `npm install --save-dev tsx` in your project');
  expect(() => typeScriptLoaders(`${url}x`)).toThrow('cannot load JSX by itself. Run `npm install --save-dev tsx`');
  expect(typeScriptLoaders(new URL(`file://${folder}/app.js`).href)).toEqual([]);
});

test('--inspect lets a debugger attach to a shard, also after a reload', async () => {
  write('app.mjs', APP);
  write('version.mjs', "export const version = 'one';");
  const free = await freePort();
  await untilListening(launch('app.mjs', '--inspect', String(free)));
  const targets = () =>
    new Promise<unknown[]>((resolve) => {
      const request = http.get({ port: free, path: '/json/list', host: '127.0.0.1' }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve(JSON.parse(body)));
      });
      request.on('error', () => resolve([]));
    });
  await until(async () => (await targets()).length === 1, 'the inspector');
  const [{ id }] = (await targets()) as [{ id: string }];
  write('version.mjs', "export const version = 'two';");
  await untilText('two');
  await until(async () => {
    const [target] = (await targets()) as [{ id: string }?];
    return target !== undefined && target.id !== id;
  }, 'the inspector of the new shard');
});

test('--shards 0 is rejected', async () => {
  write('app.mjs', APP);
  const program = launch('app.mjs', '--shards', '0');
  expect(await program.exit()).toBe(1);
  expect(program.stderr).toMatch(/needs shards that it can reload/);
});

test('flags of the process that threads do not accept are those of the process only', async () => {
  write('app.mjs', APP);
  write('version.mjs', "export const version = 'one';");
  const command = [join(root, 'build/dist/cli.js'), 'dev', 'app.mjs', '--port', '0', '--shards', '1'];
  running = new Program(process.execPath, ['--max-old-space-size=500', '--expose-gc', ...command], { cwd: folder });
  await untilListening(running);
  expect(await text()).toBe('one');
});

describe('an error that no change mends ends the command', () => {
  test('invalid flags of shards', async () => {
    write('app.mjs', APP);
    write('version.mjs', "export const version = 'one';");
    const program = launch('app.mjs', '--exec-argv=--expose-gc');
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toBe(
      "loopshard: Node.js does not accept these flags for worker threads: --expose-gc. Remove them from `threads.execArgv`; flags of the whole process go to `node`, and limits of a shard's heap to `threads.resourceLimits`. (OPTION_INVALID)\n",
    );
  });

  test('a port in use, also after the app did not load', async () => {
    const other = http.createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port: taken } = other.address() as { port: number };
    write('app.mjs', APP);
    write('version.mjs', "export const version = 'one;");
    const program = launch('app.mjs', '--port', String(taken));
    await until(() => program.stderr.includes('Waiting for a change.'), 'the report');
    const before = program.stderr;
    write('version.mjs', "export const version = 'one';");
    expect(await program.exit()).toBe(1);
    expect(program.stderr.slice(before.length)).toBe(
      `loopshard: Port ${taken} of 127.0.0.1 is in use. Stop what listens there, or choose another port. (PORT_IN_USE)\n`,
    );
    await new Promise((resolve) => other.close(resolve));
  });
});

(canReusePort() ? test : test.skip)('several HTTP threads run the changed code', async () => {
  write('app.mjs', APP);
  write('version.mjs', "export const version = 'one';");
  const program = launch('app.mjs', '--http-threads', '2');
  await untilListening(program);
  expect(program.stdout).toContain('HTTP threads: 2');
  expect(await text()).toBe('one');
  write('version.mjs', "export const version = 'two';");
  await program.printed(/version\.mjs has changed: reloaded/);
  const texts = await Promise.all(Array.from({ length: 16 }, () => text()));
  expect(new Set(texts)).toEqual(new Set(['two']));
});

async function freePort(): Promise<number> {
  const probe = http.createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port: free } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return free;
}

test('SIGHUP ends it, as when its terminal is closed', async () => {
  write('app.mjs', APP);
  write('version.mjs', "export const version = 'one';");
  const program = launch('app.mjs');
  await untilListening(program);
  program.child.kill('SIGHUP');
  expect(await program.exit()).toBe(0);
});
