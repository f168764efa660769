import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type LoopShardError, serve } from 'loopshard';
import { loopshard, Program, root } from './support/process.js';

/* If a module fails to load, the error shows one sentence, the location, the source line and the stack. */
const LOOPSHARD = JSON.stringify(new URL('../build/dist/index.js', import.meta.url).href);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, ...lines: string[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.join('\n'));
  return path;
}

async function failure(path: string): Promise<LoopShardError> {
  return serve(path, { port: 0, shards: 1, httpThreads: 1 }).then(
    () => Promise.reject(new Error('it has started')),
    (error) => error,
  );
}

describe('the message has the location, the source line and the stack of', () => {
  test('an exception in another file, without frames of LoopShard and the loader', async () => {
    const library = write(
      'throws.mjs',
      'export function connect(url) {',
      "\tthrow new TypeError('no database', { cause: new Error('refused') });",
      '}',
    );
    const app = write('throws-app.mjs', "import { connect } from './throws.mjs';", 'connect();');
    const { code, message, stack } = await failure(app);
    expect(code).toBe('MODULE_FAILED');
    expect(message.split('\n')).toEqual([
      `Cannot load ${app}: TypeError: no database`,
      `${library}:2:8`,
      "\tthrow new TypeError('no database', { cause: new Error('refused') });",
      '\t      ^',
      `    at connect (file://${library}:2:8)`,
      `    at file://${app}:2:1`,
      'Caused by Error: refused',
    ]);
    expect(stack).toBe(`LoopShardError: ${message}`);
  });

  test.each([
    ['in the module', 'broken.mjs', 'broken.mjs'],
    ['in a module that it imports', 'broken.mjs', 'imports-broken.mjs'],
  ])('a syntax error %s', async (_where, broken, app) => {
    const path = write(broken, 'const a = 1;', '  const b = ;');
    write('imports-broken.mjs', "import './broken.mjs';");
    const { code, message } = await failure(join(folder, app));
    expect(code).toBe('MODULE_FAILED');
    expect(message.split('\n')).toEqual([
      `Cannot load ${join(folder, app)}: SyntaxError: Unexpected token ';'`,
      `${path}:2:13`,
      '  const b = ;',
      '            ^',
    ]);
  });

  test('a syntax error in CommonJS, and a missing export', async () => {
    const broken = write('broken.cjs', 'const y = {{;');
    expect((await failure(broken)).message.split('\n').slice(1, 4)).toEqual([
      `${broken}:1`,
      'const y = {{;',
      '           ^',
    ]);
    const app = write('missing.mjs', "import { nothing } from 'node:fs';");
    expect((await failure(app)).message.split('\n').slice(1, 4)).toEqual([
      `${app}:1`,
      "import { nothing } from 'node:fs';",
      '         ^^^^^^^',
    ]);
  });

  test('an error of LoopShard, with its own sentence and code', async () => {
    const app = write(
      'bad-route.mjs',
      `import { createApp } from ${LOOPSHARD};`,
      'const app = createApp();',
      "app.get('no-slash', () => 1);",
    );
    const { code, message } = await failure(app);
    expect(code).toBe('ROUTE_INVALID');
    expect(message.split('\n')).toEqual([
      expect.stringMatching(/^Invalid route `GET no-slash`: /),
      `${app}:3:5`,
      "app.get('no-slash', () => 1);",
      '    ^',
      `    at file://${app}:3:5`,
    ]);
  });

  test('a listener of app.onStart()', async () => {
    const app = write(
      'start.mjs',
      `import { createApp } from ${LOOPSHARD};`,
      'export default createApp().onStart(() => {',
      "  throw new Error('no cache');",
      '});',
    );
    const { code, message } = await failure(app);
    expect(code).toBe('MODULE_FAILED');
    expect(message.split('\n').slice(0, 4)).toEqual([
      'A listener of `app.onStart()` failed: Error: no cache',
      `${app}:3:9`,
      "  throw new Error('no cache');",
      '        ^',
    ]);
  });
});

test.each<[string, string, string[]]>([
  ['what is thrown is no error', 'five.mjs', ['throw 5;']],
  ['a file is missing', 'no-file.mjs', ["import './no-such-file.js';"]],
])('the message is one sentence if %s', async (_name, name, lines) => {
  const { message } = await failure(write(name, ...lines));
  expect(message).toMatch(/^Cannot load .*mjs: Error: (5|Cannot find module '.*no-such-file.js' imported from .*)$/);
});

test('the line of a minified file is omitted', async () => {
  const app = write('minified.mjs', `${'/**/'.repeat(100)}throw new Error('long')`);
  const { message } = await failure(app);
  expect(message.split('\n').slice(1, 3)).toEqual([`${app}:1:407`, `    at file://${app}:1:407`]);
});

test('the command prints the same, with the code after the sentence', async () => {
  const program = loopshard('serve', 'test/fixtures/throws.js');
  expect(await program.exit()).toBe(1);
  const path = join(root, 'test/fixtures/throws.js');
  expect(program.stderr.trimEnd().split('\n')).toEqual([
    `loopshard: Cannot load ${path}: TypeError: on purpose (MODULE_FAILED)`,
    `${path}:1:7`,
    "throw new TypeError('on purpose');",
    '      ^',
    `    at file://${path}:1:7`,
  ]);
});

describe('the message says what to do', () => {
  const COMMON_JS =
    'Node.js reads the file as CommonJS. Run `npm pkg set type=module`, or name the file `.mjs` (`.mts` for TypeScript).';

  beforeAll(() => {
    mkdirSync(join(folder, 'common'));
    // As npm creates it.
    write('common/package.json', '{ "type": "commonjs" }');
  });

  test.each([
    ['imports', `import { createApp } from ${LOOPSHARD};`, 'Cannot use import statement outside a module'],
    ['exports', 'export default {};', "Unexpected token 'export'"],
  ])('if a module of CommonJS %s', async (_what, line, reason) => {
    const path = write('common/app.js', line);
    const { message } = await failure(path);
    expect(message.split('\n').slice(0, 2)).toEqual([
      `Cannot load ${path}: SyntaxError: ${reason}. ${COMMON_JS}`,
      `${path}:1`,
    ]);
  });

  test.each([
    ['a package', 'wants.mjs', "import 'not-installed/sub.js';", 'Run `npm install not-installed`.'],
    ['a package with a scope', 'wants.mjs', "import '@not/installed';", 'Run `npm install @not/installed`.'],
    ['a package, in CommonJS', 'wants.cjs', "require('not-installed/sub');", 'Run `npm install not-installed`.'],
    ['a path of tsconfig.json', 'wants.mjs', "import '@/lib/a.js';", 'Node.js does not read `paths` of tsconfig.json'],
    ['the source of a file', 'wants.mjs', "import './lib/source.js';", 'Did you mean `source.ts`? Node.js needs'],
    ['a file without its extension', 'wants.mjs', "import './lib/source';", 'Did you mean `source.ts`? Node.js needs'],
  ])('if %s is not found', async (_what, name, line, advice) => {
    mkdirSync(join(folder, 'lib'), { recursive: true });
    write('lib/source.ts', '');
    const { message } = await failure(write(name, line));
    expect(message.split('\n')[0]).toContain(`. ${advice}`);
  });

  test('if an app is told to listen', async () => {
    const path = write(
      'listens.mjs',
      `import { createApp } from ${LOOPSHARD};`,
      'const app = createApp();',
      'app.listen(80);',
    );
    const { message } = await failure(path);
    expect(message.split('\n').slice(0, 2)).toEqual([
      `Cannot load ${path}: TypeError: app.listen is not a function. Apps of LoopShard do not listen: remove the call, export the app, and run \`loopshard serve\` or call \`serve()\` in another module.`,
      `${path}:3:5`,
    ]);
  });
});

test('a TypeScript module on a Node.js that cannot load it', async () => {
  const app = write('app.ts', `import { createApp } from ${LOOPSHARD};`, 'export default createApp();');
  const flags = 'typescript' in process.features ? ['--no-experimental-strip-types'] : [];
  const program = new Program(process.execPath, [...flags, 'build/dist/cli.js', 'serve', app]);
  expect(await program.exit()).toBe(1);
  expect(program.stderr).toBe(
    `loopshard: Cannot load ${app}: Node.js ${process.versions.node} cannot load TypeScript (${app}). Compile it to JavaScript, or use Node.js 22.18 or later, which strips the types. For development, \`loopshard dev\` uses the tsx of your project. (MODULE_FAILED)\n`,
  );
});

const strips = Boolean((process.features as { typescript?: unknown }).typescript);

(strips ? describe : describe.skip)('type stripping', () => {
  test('shows where a syntax error is', async () => {
    const app = write('syntax.ts', 'const one = 1;', 'const two: number = ;', 'const three = 3;');
    expect((await failure(app)).message.split('\n')).toEqual([
      `Cannot load ${app}: SyntaxError: Expression expected`,
      `${app}:2`,
      'const two: number = ;',
      '                    ^',
    ]);
  });

  test('says what to do about syntax that is more than types', async () => {
    const app = write('enum.ts', 'enum A { b }');
    expect((await failure(app)).message.split('\n')).toEqual([
      `Cannot load ${app}: SyntaxError: TypeScript enum is not supported in strip-only mode. Node.js only removes types. Compile the module to JavaScript, or install tsx (\`npm install --save-dev tsx\`), which \`loopshard dev\` uses.`,
      `${app}:1`,
      'enum A { b }',
      '^^^^^^^^^^^^',
    ]);
  });

  test('says what to do about the import of a type', async () => {
    const app = write('type.ts', `import { createApp, ShardRequest } from ${LOOPSHARD};`);
    expect((await failure(app)).message).toContain(
      "an export named 'ShardRequest'. If it is a type, import it with `import type`.\n",
    );
  });
});

describe('the error for a module without an app as its default export gives advice', () => {
  const APP = `import { createApp } from ${LOOPSHARD};`;
  test.each([
    [
      'nothing',
      'createApp();',
      'End it with `export default app`, where `app` is what `createApp()` returned, or an app of another framework.',
    ],
    [
      'an app of another framework by name',
      'export const api = { fetch() {} };',
      'It exports one as `api`: write `export default api`.',
    ],
    ['a class', 'export default class Api {}', 'It exports the class `Api`: export an instance of it.'],
    [
      'a class that looks like a handler',
      'export default class Api { constructor(a, b) {} }',
      'It exports the class `Api`: export an instance of it.',
    ],
    ['the app by name', 'export const shop = createApp();', 'It exports one as `shop`: write `export default shop`.'],
    [
      'a function',
      'export default () => createApp();',
      'It exports a function without parameters. If it returns an app, call it, and export that app. If it handles requests, say how: `export default fromFetch(…)` if it returns a `Response`, or `fromNode(…)` if it takes the request and response of Node.js. Both are exports of `loopshard/adapters`.',
    ],
    [
      'a promise',
      'export default Promise.resolve(createApp());',
      'It exports a promise: write `export default await …`.',
    ],
    [
      'several apps by name',
      'export const a = createApp(); export const b = createApp();',
      "It exports several: `a`, `b`. Write `export default a` to serve that one. To serve several, combine them: `createApp().mount('/a', a).mount('/b', b)`.",
    ],
    [
      'several apps in an array',
      'export default [createApp(), createApp()];',
      "It exports an array: export one app. To serve several, combine them: `createApp().mount('/a', a).mount('/b', b)`.",
    ],
    [
      'an app in an object',
      'const shop = createApp(); export default { shop };',
      'It exports an object with one as `shop`: write `export default shop`.',
    ],
  ])('if it exports %s', async (_what, line, advice) => {
    const path = write('no-app.mjs', APP, line);
    expect(await failure(path)).toMatchObject({
      code: 'MODULE_WITHOUT_APP',
      message: `${path} has no app as its default export. ${advice}`,
    });
  });
});

test('the advice for a module of CommonJS is written in CommonJS', async () => {
  const path = write('named.cjs', "exports.server = require('node:http').createServer();");
  expect((await failure(path)).message).toBe(
    `${path} has no app as its default export. It exports one as \`server\`: write \`module.exports = server\`.`,
  );
});

describe('a wrapper says what to do if it gets', () => {
  const adapters = JSON.stringify(new URL('../build/dist/adapters/index.js', import.meta.url).href);
  test.each([
    ['an app of LoopShard', 'fromNode(() => {})', 'an app of LoopShard. It needs no wrapper: export it, or pass it to'],
    ['a promise', 'Promise.resolve()', 'a promise. Await it.'],
    ['a class', 'class Api {}', 'the class `Api`. Create an instance of it.'],
  ])('%s', async (_what, value, got) => {
    for (const wrapper of ['fromFetch', 'fromNode']) {
      const path = write(`${wrapper}.mjs`, `import { fromFetch, fromNode } from ${adapters};`, `${wrapper}(${value});`);
      const { code, message } = await failure(path);
      expect([code, message.split('\n')[0]]).toEqual(['OPTION_INVALID', expect.stringContaining(`, got ${got}`)]);
    }
  });
});

describe('a module that serves itself', () => {
  const SENTENCE =
    'Cannot call `serve()` on a shard: it imports the module that you serve, and would serve it again. Call `serve()` in a separate module, such as main.js, that does not export the app.';
  const lines = (call: string) => [
    `import { createApp, serve } from ${LOOPSHARD};`,
    'export default createApp();',
    `${call}serve(import.meta.url, { port: 0, shards: 1, httpThreads: 1 });`,
  ];

  test.each([
    ['the command', 'await ', ['serve']],
    ['node', 'await ', []],
    ['node, without waiting', '', []],
  ])('fails the start instead of starting threads endlessly, with %s', async (_with, call, command) => {
    const path = write('serves-itself.mjs', ...lines(call));
    const args = command.length > 0 ? ['build/dist/cli.js', 'serve', path, '--port', '0', '--shards', '1'] : [path];
    const program = new Program(process.execPath, args);
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toContain(SENTENCE);
    expect(program.stderr).toContain(`${path}:3:`);
  });

  test('may do so on the main thread only', async () => {
    const [first, second, last] = lines('if (isMainThread) await (await ').map((line) => line);
    const main = "import { isMainThread } from 'node:worker_threads';";
    const path = write('serves-once.mjs', main, first, second, last.replace(/;$/, ').close();'));
    const program = new Program(process.execPath, [path]);
    expect([await program.exit(), program.stderr]).toEqual([0, '']);
  });
});
