import { describe, expect, test } from '@jest/globals';
import { createApp, serve } from 'loopshard';
import { root } from './support/process.js';

/* What people write who come from another framework, and the sentences that help them. */
const handler = () => 'x';
const expressApp = Object.assign((_req: unknown, _res: unknown, _next: unknown) => {}, { handle() {}, use() {} });

describe('app.use()', () => {
  test.each<[string, unknown[], string]>([
    [
      'an Express app or router',
      ['/admin', expressApp],
      "`app.use()` got an app or router of Express, which needs the `req` and `res` of Node.js. Write its routes with `app.scope('/prefix', (app) => …)`.",
    ],
    [
      'an array',
      [[handler, handler]],
      '`app.use()` takes one middleware function, got several. Call it once for each.',
    ],
    ['several functions', [handler, handler], '`app.use()` takes one middleware function, got several.'],
    ['several functions and a prefix', ['/a', handler, handler], '`app.use()` takes one middleware function'],
    [
      'an error handler',
      [(_error: unknown, _req: unknown, _res: unknown, _next: unknown) => {}],
      '`app.use()` expects middleware `(req, res, next) => …`, got a function with four parameters. Handle errors with `app.onError()`.',
    ],
    [
      'an app of LoopShard',
      ['/admin', createApp()],
      "`app.use()` got an app. Add its routes with `app.mount('/prefix', other)`.",
    ],
    ['a prefix alone', ['/admin'], "`app.use()` expects middleware `(req, res, next) => …`, got '/admin'."],
    ['nothing', [], '`app.use()` expects middleware `(req, res, next) => …`, got undefined.'],
  ])('%s', (_name, given, sentence) => {
    const use = createApp().use as (...given: unknown[]) => void;
    expect(() => use.apply(createApp(), given)).toThrow(
      expect.objectContaining({ code: 'MIDDLEWARE_INVALID', message: expect.stringContaining(sentence) }),
    );
  });
});

describe('a route', () => {
  test.each<[string, unknown[]]>([
    ['middleware before its handler', [handler, handler]],
    ['options, middleware and a handler', [{}, handler, handler]],
    ['an array of handlers', [[handler, handler]]],
    ['options and an array of handlers', [{}, [handler]]],
  ])('with %s', (_name, given) => {
    const app = createApp();
    const get = app.get as unknown as (pattern: string, ...given: unknown[]) => void;
    expect(() => get.call(app, '/a', ...given)).toThrow(
      expect.objectContaining({
        code: 'ROUTE_INVALID',
        message: 'Route `GET /a` takes one handler, got several. Run the others before it with `app.use()`.',
      }),
    );
  });

  test('without a handler', () => {
    expect(() => createApp().get('/a', undefined as never)).toThrow('Route `GET /a` expects a handler, got undefined.');
  });
});

describe('serve()', () => {
  test.each<[string, unknown, string]>([
    [
      'an app',
      createApp(),
      "Expected the path or URL of the module that exports your app, got an object. Each thread imports the module by itself: pass `new URL('./app.js', import.meta.url)`.",
    ],
    ['a function', handler, 'the module that exports your app, got a function.'],
    ['nothing', undefined, 'the module that exports your app, got undefined.'],
    [
      'a directory',
      `${root}examples/quickstart`,
      `${root}examples/quickstart is a directory. Did you mean ${root}examples/quickstart/app.js?`,
    ],
    [
      'a path without its extension',
      `${root}test/fixtures/app`,
      `Cannot find ${root}test/fixtures/app. Did you mean ${root}test/fixtures/app.js?`,
    ],
    [
      'a path with the wrong extension',
      `${root}test/fixtures/app.ts`,
      `Cannot find ${root}test/fixtures/app.ts. Did you mean ${root}test/fixtures/app.js?`,
    ],
    ['an invalid URL', 'file:///a%2Fb.js', 'Invalid module URL file:///a%2Fb.js: '],
  ])('with %s', async (_name, module, sentence) => {
    await expect(serve(module as never)).rejects.toMatchObject({
      code: 'MODULE_NOT_FOUND',
      message: expect.stringContaining(sentence),
    });
  });
});
