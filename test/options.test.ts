import { describe, expect, test } from '@jest/globals';
import { createApp, type ServeOptions, serve } from 'loopshard';
import { canReusePort, defaultHttpThreads } from '../build/src/options/http-threads.js';

const module = new URL('./fixtures/app.js', import.meta.url);

describe('options out of their range are refused before anything starts', () => {
  test.each<[ServeOptions, string]>([
    [{ port: -1 }, 'The option port must be an integer from 0 to 65535, not -1.'],
    [{ port: 1.5 }, 'not 1.5'],
    [{ shards: 65 }, 'The option shards must be an integer from 1 to 64, not 65.'],
    [{ scheduling: { permits: 0 } }, 'permits'],
    [{ scheduling: { batch: 1_025 } }, 'batch'],
    [{ memory: { slots: 1 } }, 'slots'],
    [{ memory: { slotBytes: 100 } }, 'slotBytes'],
    [{ limits: { maxBodyBytes: Number.NaN } }, 'maxBodyBytes'],
    [
      { limits: { maxTargetBytes: 9_000, maxHeadBytes: 8_000 } },
      'maxTargetBytes (9000) is more than maxHeadBytes (8000)',
    ],
    [
      { timeouts: { headersTimeoutMs: 0 } },
      'The option headersTimeoutMs must be an integer from 1 to 2147483647, not 0.',
    ],
    [{ limits: { maxConnections: 0 } }, 'maxConnections'],
    [{ host: '' }, 'The option host must be a host name or an address, not "".'],
    [
      { scheduling: { dispatch: 'random' as never } },
      'one of least-loaded, round-robin, route-hash, or { key: { header: \'name\' } }, not "random"',
    ],
    [{ path: '/tmp/socket', port: 80 }, 'path and port contradict each other; listen on host and port, on a path, or'],
    [{ fd: 3, host: '::1', port: 80 }, 'fd and host and port contradict each other'],
    [{ fd: 3, path: '/tmp/socket' }, 'path and fd contradict each other'],
    [{ path: '' }, 'The option path must be a path, not "".'],
    [{ fd: -1 }, 'The option fd must be a descriptor, not -1.'],
    [{ ipv6Only: 1 as never }, 'ipv6Only'],
    [{ tls: true as never }, 'The option tls must be an object'],
    [{ tls: {} }, '`tls` has no certificate. Set `key` and `cert`, or `pfx`.'],
    [{ accessLog: 'yes' as never }, 'The option accessLog must be one of true, false, not "yes".'],
    [{ scheduling: { park: 'never' as never } }, 'one of async, sync'],
    [{ logger: {} as never }, 'a logger with a method error'],
    [{ threads: { resourceLimits: 5 as never } }, 'resourceLimits'],
    [{ scheduling: { dispatch: { key: { header: '' } } } }, 'The option dispatch.key.header must be a name, not "".'],
    [
      { scheduling: { dispatch: { key: { body: 'id' } } as never } },
      'The option dispatch.key has no body; it has header, cookie, param, query.',
    ],
    [{ scheduling: { dispatch: { key: {} } as never } }, 'names one source, header, cookie, param, query'],
    [{ scheduling: { dispatch: { key: { header: 'a', cookie: 'b' } } as never } }, 'names one source'],
    [
      { scheduling: { dispatch: { key: 'x-key' } as never } },
      'The option dispatch.key must be an object, not "x-key".',
    ],
    [{ scheduling: { steal: 'no' as never } }, 'The option steal must be one of true, false, not "no".'],
    [
      { scheduling: { priority: 'high' as never } },
      'The option priority must be a function of method and path, not "high".',
    ],
    [{ groups: { cpu: 2 } }, 'The option groups has no group default, which routes without a group need; add it.'],
    [{ groups: { default: 0 } }, 'The option groups.default must be an integer from 1 to 64, not 0.'],
    [{ groups: { default: 60, cpu: 5 } }, 'The option groups has 65 shards; at most 64 are possible.'],
    [{ groups: [1, 2] as never }, 'an object of shard numbers, such as { default: 2, cpu: 2 }'],
    [{ shards: 2, groups: { default: 2 } }, 'both say how many shards there are; leave one of them out'],
    [{ groups: { default: 2, cpu: 2 }, memory: { slots: 7 } }, '7 slots are too few for 4 shards in groups'],
    [{ scheduling: { permits: 65_537 } }, 'The option permits must be an integer from 1 to 65536, not 65537.'],
    [
      { scheduling: { permits: 'many' as never } },
      'The option permits must be a number, \'adaptive\' or { min, max }, not "many".',
    ],
    [
      { scheduling: { permits: { min: 8, max: 4 } } },
      'permits.min (8) is more than permits.max (4); raise the one or lower the other.',
    ],
    [
      { scheduling: { permits: { initial: 5, min: 6 } } },
      'The option permits.initial must be an integer from 6 to 1024, not 5.',
    ],
    [{ scheduling: { permits: { least: 2 } as never } }, 'The option permits has no least; it has initial, min, max.'],
    [
      { scheduling: { maxQueue: 100 } },
      'maxQueue (100) is less than batch (256), which a shard claims from it at once',
    ],
    [{ scheduling: { maxQueue: 0 } }, 'The option maxQueue must be an integer from 1 to 65536, not 0.'],
    [
      { scheduling: { shed: { targetMs: 600, intervalMs: 500 } } },
      'shed.targetMs (600) is more than shed.intervalMs (500)',
    ],
    [{ scheduling: { shed: { status: 500 as never } } }, 'The option shed.status must be one of 503, 429, not 500.'],
    [{ scheduling: { shed: { target: 5 } as never } }, 'The option shed has no target; it has targetMs,'],
    [
      { scheduling: { shed: true }, timeouts: { queueTimeoutMs: 200 } },
      'queueTimeoutMs (200) ends every wait before shed.targetMs (200)',
    ],
    [{ timeouts: { queueTimeoutMs: 1_800_001 } }, 'queueTimeoutMs'],
    [{ timeouts: { handlerTimeoutMs: -1 } }, 'handlerTimeoutMs'],
    [{ health: { livez: 'livez' } }, 'The option health.livez must be a path such as /livez, not "livez".'],
    [
      { health: { livez: '/z', readyz: '/z' } },
      'health.livez and health.readyz are both /z; give them different paths.',
    ],
    [{ health: { shedGraceMs: -1 } }, 'health.shedGraceMs'],
    [{ scheduling: { shardNice: 20 } }, 'The option shardNice must be an integer from 0 to 19, not 20.'],
    [{ prot: 80 } as never, 'There is no option prot; the options are port,'],
  ])('%j', async (options, sentence) => {
    await expect(serve(module, options)).rejects.toMatchObject({
      name: 'LoopShardError',
      code: expect.stringMatching(/^OPTION_/),
      message: expect.stringContaining(sentence),
    });
  });
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
    expect.objectContaining({ code: 'ROUTE_INVALID', message: 'The handler of GET / is a string; pass a function.' }),
  );
});

describe('options of a route that are wrong are refused when it is defined', () => {
  test.each<[string, object, string]>([
    ['/a', { group: '' }, 'The option group of GET /a must be a name, not "".'],
    [
      '/a',
      { dispatch: 'random' },
      'The option dispatch of GET /a must be one of least-loaded, round-robin, route-hash',
    ],
    ['/a', { dispatch: null }, 'The option dispatch of GET /a must be one of'],
    ['/a', { dispatch: { key: { from: 'x' } } }, 'The option dispatch.key of GET /a has no from'],
    ['/a/:id', { dispatch: { key: { param: 'user' } } }, 'The pattern /a/:id has no parameter :user'],
    ['/a/:user-id', { dispatch: { key: { param: 'us' } } }, 'has no parameter :us to take the key of dispatch from'],
    ['/a', { priority: 'urgent' }, 'The option priority of GET /a must be one of high, normal, low, not "urgent".'],
    ['/a', { maxConcurrency: 0 }, 'The option maxConcurrency of GET /a must be an integer from 1 to 65536, not 0.'],
    ['/a', { queueTimeoutMs: 0 }, 'The option queueTimeoutMs of GET /a must be an integer from 1 to 1800000, not 0.'],
    ['/a', { handlerTimeoutMs: 0.5 }, 'handlerTimeoutMs'],
    [
      '/a',
      { maxConcurency: 1 },
      'The route GET /a has an option maxConcurency, which there is not; the options are response,',
    ],
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

test('a route of a group that the server does not have is refused at the start', async () => {
  await expect(
    serve(new URL('./fixtures/groups-app.js', import.meta.url), { port: 0, shards: 1 }),
  ).rejects.toMatchObject({
    code: 'ROUTE_INVALID',
    message:
      "The route GET /slow/:id is of the group slow, which there is not; the server's option groups has default.",
  });
});

test('the number of HTTP threads goes by the cores, where there can be several', () => {
  const by = (cores: number, options: ServeOptions = {}) => defaultHttpThreads(options, cores);
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
