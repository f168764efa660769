import { describe, expect, test } from '@jest/globals';
import { createApp, type ServeOptions, serve } from '../build/src/index.js';

const module = new URL('./fixtures/app.js', import.meta.url);

describe('options out of their range are refused before anything starts', () => {
  test.each<[ServeOptions, string]>([
    [{ port: -1 }, 'The option port must be an integer from 0 to 65535, not -1.'],
    [{ port: 1.5 }, 'not 1.5'],
    [{ shards: 65 }, 'The option shards must be an integer from 1 to 64, not 65.'],
    [{ permits: 0 }, 'permits'],
    [{ batch: 1_025 }, 'batch'],
    [{ slots: 1 }, 'slots'],
    [{ slotBytes: 100 }, 'slotBytes'],
    [{ bodyLimitBytes: Number.NaN }, 'bodyLimitBytes'],
    [{ maxTargetBytes: 9_000, maxHeadBytes: 8_000 }, 'maxTargetBytes (9000) is more than maxHeadBytes (8000)'],
    [{ headersTimeoutMs: 0 }, 'The option headersTimeoutMs must be an integer from 1 to 2147483647, not 0.'],
    [{ maxConnections: 0 }, 'maxConnections'],
    [{ host: '' }, 'The option host must be a host name or an address, not "".'],
    [{ path: '/tmp/socket', port: 80 }, 'path and port contradict each other; listen on host and port, on a path, or'],
    [{ fd: 3, host: '::1', port: 80 }, 'fd and host and port contradict each other'],
    [{ fd: 3, path: '/tmp/socket' }, 'path and fd contradict each other'],
    [{ path: '' }, 'The option path must be a path, not "".'],
    [{ fd: -1 }, 'The option fd must be a descriptor, not -1.'],
    [{ ipv6Only: 1 as never }, 'ipv6Only'],
    [{ tls: true as never }, 'The option tls must be an object'],
    [{ tls: {} }, 'The option tls has no certificate; give it key and cert, or pfx.'],
    [{ accessLog: 'yes' as never }, 'The option accessLog must be true or false, not "yes".'],
    [{ dispatch: 'random' as never }, 'one of least-loaded, round-robin, not "random"'],
    [{ park: 'never' as never }, 'one of async, sync'],
    [{ logger: {} as never }, 'a logger with a method error'],
    [{ resourceLimits: 5 as never }, 'resourceLimits'],
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
