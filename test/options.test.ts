import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createApp, type ServeOptions, serve } from 'loopshard';
import type { FlatOptions } from '../build/src/options/flat-options.js';
import { canReusePort, defaultHttpThreads } from '../build/src/options/http-threads.js';
import { resolveOptions } from '../build/src/options/resolve.js';
import { flatten, nest } from '../build/src/options/sections.js';
import { defaultShards, entryOf, OPTION_NAMES } from '../build/src/options/table.js';
import { pageText, typesText } from '../scripts/generate-options.js';
import { root } from './support/process.js';

const module = new URL('./fixtures/app.js', import.meta.url);

describe('rejects an invalid value before anything starts', () => {
  test.each<[ServeOptions, string]>([
    [{ port: -1 }, 'Option `port` must be an integer from 0 to 65535, got -1.'],
    [{ port: 1.5 }, 'Option `port` must be an integer from 0 to 65535, got 1.5.'],
    [{ port: null as never }, 'Option `port` must be an integer from 0 to 65535, got null.'],
    [{ port: '80' as never }, "Option `port` must be an integer from 0 to 65535, got '80'."],
    [{ shards: 65 }, 'Option `shards` must be an integer from 0 to 64, got 65.'],
    [{ host: '' }, "Option `host` must be a host name or an IP address, got ''."],
    [{ path: '' }, "Option `path` must be the path of a Unix socket, got ''."],
    [{ fd: -1 }, 'Option `fd` must be an integer from 0 to 2147483647, got -1.'],
    [{ ipv6Only: 1 as never }, 'Option `ipv6Only` must be `true` or `false`, got 1.'],
    [
      { path: '/tmp/socket', port: 80 },
      'Set `host` and `port`, or `path`, or `fd`: a server listens in one place. Got `path`, `port`.',
    ],
    [{ fd: 3, host: '::1', port: 80 }, 'a server listens in one place. Got `fd`, `host`, `port`.'],
    [{ fd: 3, path: '/tmp/socket' }, 'a server listens in one place. Got `path`, `fd`.'],
    [{ tls: true as never }, 'Option `tls` must be an object such as `{ key, cert }`, got true.'],
    [{ tls: {} }, 'Option `tls` has no certificate. Set `key` and `cert`, or `pfx`.'],
    [{ accessLog: 'yes' as never }, "Option `accessLog` must be `true` or `false`, got 'yes'."],
    [{ abortOnHalfClose: 0 as never }, 'Option `abortOnHalfClose` must be `true` or `false`, got 0.'],
    [
      { logger: { error() {} } as never },
      'Option `logger` must have the methods `error`, `warn` and `info`; `warn` is not a function.',
    ],
    [{ httpModule: 5 as never }, 'Option `httpModule` must be a path or a URL, got 5.'],
    [
      { groups: { cpu: 2 } },
      'Option `groups` must include `default`, which runs the routes without a group. Add it: `groups: { default: 2, … }`.',
    ],
    [{ groups: { default: 0 } }, 'Option `groups.default` must be an integer from 1 to 64, got 0.'],
    [{ groups: { default: 60, cpu: 5 } }, 'Option `groups` must have at most 64 shards in total, got 65.'],
    [{ groups: [1, 2] as never }, 'Option `groups` must be an object such as `{ default: 2, cpu: 2 }`, got an array.'],
    [{ shards: 2, groups: { default: 2 } }, 'Set either `shards` or `groups`, not both.'],
    [{ health: { livez: 'livez' } }, "Option `health.livez` must be a path such as `/livez`, got 'livez'."],
    [
      { health: { livez: '/z', readyz: '/z' } },
      "Options `health.livez` and `health.readyz` must be different paths, got '/z' twice.",
    ],
    [{ health: { shedGraceMs: -1 } }, 'Option `health.shedGraceMs` must be an integer from 0 to 3600000, got -1.'],
    [{ health: null as never }, 'Option `health` must be an object with `livez`, `readyz` or `shedGraceMs`, got null.'],
    [{ compress: { types: 'text/html' as never } }, 'Option `compress.types` must be an array of content types'],
    [{ compress: { encodings: [] } }, 'Option `compress.encodings` must be a non-empty array of `br`, `zstd`, `gzip`'],
    [{ requestId: { header: 'a b' } }, 'Option `requestId.header` must be a header name without another meaning'],

    [
      { limits: { maxBodyBytes: Number.NaN } },
      'Option `limits.maxBodyBytes` must be an integer from 0 to 1073741824, got NaN.',
    ],
    [{ limits: { maxConnections: 0 } }, 'Option `limits.maxConnections` must be an integer from 1 to 1048576, got 0.'],
    [
      { limits: { maxTargetBytes: 9_000, maxHeadBytes: 8_000 } },
      'Option `limits.maxTargetBytes` (9000) must not be greater than `limits.maxHeadBytes` (8000), which includes the target.',
    ],

    [
      { timeouts: { headersTimeoutMs: 0 } },
      'Option `timeouts.headersTimeoutMs` must be an integer from 1 to 2147483647, got 0.',
    ],
    [
      { timeouts: { queueTimeoutMs: 1_800_001 } },
      'Option `timeouts.queueTimeoutMs` must be an integer from 0 to 1800000, got 1800001.',
    ],
    [
      { timeouts: { handlerTimeoutMs: -1 } },
      'Option `timeouts.handlerTimeoutMs` must be an integer from 0 to 1800000, got -1.',
    ],
    [
      { timeouts: { queueTimeoutMs: 200 }, scheduling: { shed: true } },
      'Option `timeouts.queueTimeoutMs` (200) must be greater than `scheduling.shed.targetMs` (200); otherwise requests time out before shedding can start.',
    ],

    [{ scheduling: { permits: 0 } }, 'Option `scheduling.permits` must be an integer from 1 to 65536, got 0.'],
    [{ scheduling: { permits: 65_537 } }, 'Option `scheduling.permits` must be an integer from 1 to 65536, got 65537.'],
    [
      { scheduling: { permits: 'many' as never } },
      "Option `scheduling.permits` must be an integer, `adaptive` or `{ min, max }`, got 'many'.",
    ],
    [
      { scheduling: { permits: { min: 8, max: 4 } } },
      'Option `scheduling.permits.min` (8) must not be greater than `scheduling.permits.max` (4).',
    ],
    [
      { scheduling: { permits: { initial: 5, min: 6 } } },
      'Option `scheduling.permits.initial` must be an integer from 6 to 1024, got 5.',
    ],
    [
      { scheduling: { permits: { least: 2 } as never } },
      'Unknown option `scheduling.permits.least`. Known options of `scheduling.permits`: `initial`, `min`, `max`.',
    ],
    [{ scheduling: { batch: 1_025 } }, 'Option `scheduling.batch` must be an integer from 1 to 1024, got 1025.'],
    [
      { scheduling: { maxQueue: 100 } },
      'Option `scheduling.maxQueue` (100) must not be less than `scheduling.batch` (256).',
    ],
    [{ scheduling: { maxQueue: 0 } }, 'Option `scheduling.maxQueue` must be an integer from 1 to 65536, got 0.'],
    [
      { scheduling: { dispatch: 'random' as never } },
      "Option `scheduling.dispatch` must be `least-loaded`, `round-robin`, `route-hash` or `{ key: { header: 'name' } }`, got 'random'.",
    ],
    [
      { scheduling: { dispatch: { key: { header: '' } } } },
      "Option `scheduling.dispatch.key.header` must be a non-empty string, got ''.",
    ],
    [
      { scheduling: { dispatch: { key: { body: 'id' } } as never } },
      'Unknown option `scheduling.dispatch.key.body`. Known options of `scheduling.dispatch.key`: `header`, `cookie`, `param`, `query`.',
    ],
    [
      { scheduling: { dispatch: { key: {} } as never } },
      "Option `scheduling.dispatch.key` must have exactly one of `header`, `cookie`, `param`, `query`, such as `{ key: { header: 'name' } }`.",
    ],
    [{ scheduling: { dispatch: { key: { header: 'a', cookie: 'b' } } as never } }, 'must have exactly one of'],
    [
      { scheduling: { dispatch: { key: 'x-key' } as never } },
      "Option `scheduling.dispatch.key` must be an object with `header`, `cookie`, `param` or `query`, got 'x-key'.",
    ],
    [{ scheduling: { steal: 'no' as never } }, "Option `scheduling.steal` must be `true` or `false`, got 'no'."],
    [
      { scheduling: { priority: 'high' as never } },
      "Option `scheduling.priority` must be a function of method and path, got 'high'.",
    ],
    [
      { scheduling: { shed: { targetMs: 600, intervalMs: 500 } } },
      'Option `scheduling.shed.targetMs` (600) must not be greater than `scheduling.shed.intervalMs` (500).',
    ],
    [
      { scheduling: { shed: { status: 500 as never } } },
      'Option `scheduling.shed.status` must be `503` or `429`, got 500.',
    ],
    [{ scheduling: { shed: { target: 5 } as never } }, 'Unknown option `scheduling.shed.target`. Known options of'],
    [{ scheduling: { shardNice: 20 } }, 'Option `scheduling.shardNice` must be an integer from 0 to 19, got 20.'],
    [
      { scheduling: { shardNice: { cpu: 5 } } },
      'Unknown option `scheduling.shardNice.cpu`. Known options of `scheduling.shardNice`: `default`.',
    ],
    [{ scheduling: { park: 'never' as never } }, "Option `scheduling.park` must be `async` or `sync`, got 'never'."],

    [{ memory: { slots: 1 } }, 'Option `memory.slots` must be an integer from 2 to 65536, got 1.'],
    [{ memory: { slotBytes: 100 } }, 'Option `memory.slotBytes` must be an integer from 2048 to 1048576, got 100.'],
    [
      { groups: { default: 2, cpu: 2 }, httpThreads: 1, memory: { slots: 7 } },
      'Option `memory.slots` must be at least 8 for 4 shards in groups, got 7.',
    ],

    [{ recovery: { maxRestarts: -1 } }, 'Option `recovery.maxRestarts` must be an integer from 0 to 1000000, got -1.'],
    [
      { recovery: { onUncaught: 'ignore' as never } },
      "Option `recovery.onUncaught` must be `replace`, `exit` or `continue`, got 'ignore'.",
    ],

    [
      { threads: { resourceLimits: 5 as never } },
      'Option `threads.resourceLimits` must be an object with `maxOldGenerationSizeMb`, `maxYoungGenerationSizeMb` or `stackSizeMb`, got 5.',
    ],
    [
      { threads: { resourceLimits: { stackSizeMb: 0 } } },
      'Option `threads.resourceLimits.stackSizeMb` must be a number of MiB greater than 0, got 0.',
    ],
    [{ threads: { env: [] as never } }, 'Option `threads.env` must be an object of strings, got an array.'],
    [{ threads: { env: { SECRET: 1 } as never } }, 'Option `threads.env.SECRET` must be a string, got 1.'],
    [{ threads: { execArgv: '--x' as never } }, "Option `threads.execArgv` must be an array of strings, got '--x'."],
  ])('%j', async (options, sentence) => {
    await expect(serve(module, options)).rejects.toMatchObject({
      name: 'LoopShardError',
      code: expect.stringMatching(/^OPTION_/),
      message: expect.stringContaining(sentence),
    });
  });
});

describe('says where an option belongs', () => {
  test.each<[object, string]>([
    [{ slots: 64 }, 'Option `slots` belongs in `memory`: `{ memory: { slots: 64 } }`.'],
    [{ limits: { slots: 64 } }, 'Option `slots` belongs in `memory`, not in `limits`: `{ memory: { slots: 64 } }`.'],
    [{ memory: { port: 80 } }, 'Option `port` belongs at the top level, not in `memory`: `{ port: 80 }`.'],
    [{ memory: { limits: {} } }, 'Option `limits` belongs at the top level, not in `memory`.'],
    [{ dispatch: 'round-robin' }, "`{ scheduling: { dispatch: 'round-robin' } }`"],
    [{ env: { SECRET: 'x' } }, 'Option `env` belongs in `threads`: `{ threads: { env: … } }`.'],
    [{ limits: 5 }, 'Option `limits` must be an object such as `{ maxBodyBytes: 1048576 }`, got 5.'],
    [{ threads: [] }, 'Option `threads` must be an object such as `{ resourceLimits: … }`, got an array.'],
    [[80], 'Options must be an object such as `{ port: 8000 }`, got an array.'],
  ])('%j', async (options, sentence) => {
    await expect(serve(module, options)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(sentence),
    });
  });

  test.each(OPTION_NAMES.filter((name) => entryOf(name).section !== undefined))('%s', async (name) => {
    const { section } = entryOf(name);
    await expect(serve(module, { [name]: 1 })).rejects.toMatchObject({
      message: `Option \`${name}\` belongs in \`${section}\`: \`{ ${section}: { ${name}: 1 } }\`.`,
    });
  });
});

describe('names the nearest option for an unknown one', () => {
  test.each<[object, string]>([
    [{ prot: 80 }, 'Unknown option `prot`. Did you mean `port`?'],
    [{ slot: 64 }, 'Unknown option `slot`. Did you mean `memory.slots`?'],
    [{ limits: { slot: 64 } }, 'Unknown option `limits.slot`. Did you mean `memory.slots`?'],
    [{ timeout: {} }, 'Unknown option `timeout`. Did you mean `timeouts`?'],
    [{ frobnicate: 5 }, 'Unknown option `frobnicate`. Known options: `port`, `host`,'],
    [{ memory: { frobnicate: 5 } }, 'Known options of `memory`: `slots`, `slotBytes`, `extentBytes`.'],
    [{ constructor: 5 }, 'Unknown option `constructor`.'],
  ])('%j', async (options, sentence) => {
    await expect(serve(module, options)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
      message: expect.stringContaining(sentence),
    });
  });
});

test('accepts every option in its section, with its default as the value', () => {
  const flat = Object.fromEntries(
    OPTION_NAMES.flatMap((name) => {
      const value = entryOf(name).default;
      return value === undefined ? [] : [[name, value]];
    }),
  );
  expect(Object.keys(flat).length).toBeGreaterThan(35);
  const given = nest(flat);
  expect(flatten(given)).toEqual(flat);
  expect(resolveOptions(given)).toEqual(resolveOptions({}));
});

test.each([
  ['src/options/serve-options.ts', typesText],
  ['docs/options.md', pageText],
])('%s is generated from the table; if not, run `npm run generate`', async (file, text) => {
  expect(await readFile(join(root, file), 'utf8')).toBe(text());
});

test('the default is at least two shards and at most 16', () => {
  expect([1, 2, 3, 8, 16, 64].map((cores) => defaultShards(cores))).toEqual([2, 2, 3, 8, 16, 16]);
});

test('a module may be a path, a URL as text or a URL', async () => {
  for (const one of [module, module.href, 'test/fixtures/app.js']) {
    const server = await serve(one, { port: 0, shards: 1 });
    expect(server.state).toBe('ready');
    await server.close();
  }
});

test('handlers must be functions', () => {
  expect(() => createApp().get('/', 'text' as never)).toThrow(
    expect.objectContaining({ code: 'ROUTE_INVALID', message: "Route `GET /` expects a handler, got 'text'." }),
  );
});

describe('invalid options of a route are rejected when it is defined', () => {
  test.each<[string, object, string]>([
    ['/a', { group: '' }, "Option `group` of route `GET /a` must be a non-empty string, got ''."],
    [
      '/a',
      { dispatch: 'random' },
      'Option `dispatch` of route `GET /a` must be `least-loaded`, `round-robin`, `route-hash` or',
    ],
    ['/a', { dispatch: null }, 'Option `dispatch` of route `GET /a` must be'],
    [
      '/a',
      { dispatch: { key: { from: 'x' } } },
      'Unknown option `dispatch.key.from` of route `GET /a`. Known options of',
    ],
    [
      '/a/:id',
      { dispatch: { key: { param: 'user' } } },
      "Option `dispatch.key.param` of route `GET /a/:id` must be a parameter of the pattern `/a/:id`, got 'user'.",
    ],
    [
      '/a/:user-id',
      { dispatch: { key: { param: 'us' } } },
      "must be a parameter of the pattern `/a/:user-id`, got 'us'.",
    ],
    [
      '/a',
      { priority: 'urgent' },
      "Option `priority` of route `GET /a` must be `high`, `normal` or `low`, got 'urgent'.",
    ],
    [
      '/a',
      { maxConcurrency: 0 },
      'Option `maxConcurrency` of route `GET /a` must be an integer from 1 to 65536, got 0.',
    ],
    [
      '/a',
      { queueTimeoutMs: 0 },
      'Option `queueTimeoutMs` of route `GET /a` must be an integer from 1 to 1800000, got 0.',
    ],
    ['/a', { handlerTimeoutMs: 0.5 }, 'handlerTimeoutMs'],
    ['/a', { maxConcurency: 1 }, 'Unknown option `maxConcurency` of route `GET /a`. All options: group, dispatch,'],
  ])('%s %j', (pattern, options, message) => {
    expect(() => createApp().get(pattern, options, () => 'x')).toThrow(
      expect.objectContaining({ code: 'ROUTE_INVALID', message: expect.stringContaining(message) }),
    );
  });

  test.each(['/a/:user', '/a/:user/b', '/a/:user(\\d+)', '/a/:id-:user', '/a/:user?'])(
    '%s has the parameter user',
    (pattern) => {
      createApp().get(pattern, { dispatch: { key: { param: 'user' } } }, () => 'x');
    },
  );
});

test('a route in an unknown group is rejected at the start', async () => {
  await expect(
    serve(new URL('./fixtures/groups-app.js', import.meta.url), { port: 0, shards: 1 }),
  ).rejects.toMatchObject({
    code: 'ROUTE_INVALID',
    message: 'Route `GET /slow/:id` names the group `slow`, which does not exist. Groups of this server: default.',
  });
});

test('the default number of HTTP threads depends on the cores, if several are possible', () => {
  const by = (cores: number, options: FlatOptions = {}) => defaultHttpThreads(options, cores);
  const several = canReusePort();
  expect([1, 2, 3, 4, 8, 16, 64].map((cores) => by(cores))).toEqual(
    several ? [1, 1, 1, 3, 5, 11, 11] : Array(7).fill(1),
  );
  for (const options of [
    { path: '/x' },
    { fd: 3 },
    { priority: () => 'low' as const },
    { tls: { SNICallback() {} } },
  ]) {
    expect(by(16, options)).toBe(1);
  }
});
