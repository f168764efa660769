import { describe, expect, test } from '@jest/globals';
import { type App, createApp, HttpError, type Middleware, serve } from 'loopshard';
import { close, createTestServer, type InjectOptions, inject } from 'loopshard/testing';
import { root } from './support/process.js';

/* Mistakes of users of other frameworks, and the messages that help them. */
const handler = () => 'x';
const expressApp = Object.assign((_req: unknown, _res: unknown, _next: unknown) => {}, { handle() {}, use() {} });

describe('app.use()', () => {
  test.each<[string, unknown[], string]>([
    [
      'an Express app or router',
      ['/admin', expressApp],
      "`app.use()` got an Express app or router, which needs the `req` and `res` of Node.js. Write its routes with `app.scope('/prefix', …)`.",
    ],
    [
      'an array',
      [[handler, handler]],
      '`app.use()` expects one middleware function, got several. Call it once for each.',
    ],
    ['several functions', [handler, handler], '`app.use()` expects one middleware function, got several.'],
    ['several functions and a prefix', ['/a', handler, handler], '`app.use()` expects one middleware function'],
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
        message: 'Route `GET /a` expects one handler, got several. Add the others with `app.use()`.',
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

/** Returns the log of a request that gets 500. */
async function failureOf(app: App, request: InjectOptions = { url: '/' }): Promise<{ code: string; message: string }> {
  const errors: { code: string; message: string }[] = [];
  const logger = {
    error: (details: object) => void errors.push((details as { err: never }).err),
    warn() {},
    info() {},
  };
  const server = await createTestServer(app, { logger });
  const { statusCode } = await server.inject(request);
  await server.close();
  expect([statusCode, errors.length]).toEqual([500, 1]);
  return errors[0];
}

describe('middleware', () => {
  const untouched =
    'Middleware neither called `next()` nor responded. `return next()` to continue, return a body, or set a status with `res.status()`.';

  test.each<[string, (...given: never[]) => unknown, string]>([
    ['that does nothing', () => {}, untouched],
    ['that does nothing, later', async () => {}, untouched],
    [
      'that calls `next(error)` as in Express',
      (_req, _res, next: (error: Error) => unknown) => next(new Error('not allowed')),
      'Middleware called `next()` with an argument. Throw errors, and call `next()` without arguments.',
    ],
  ])('%s', async (_name, middleware, message) => {
    let isCalled = false;
    const app = createApp()
      .use(middleware as Middleware)
      .get('/', () => {
        isCalled = true;
        return 'x';
      });
    expect(await failureOf(app)).toMatchObject({ code: 'MIDDLEWARE_INVALID', message });
    expect(isCalled).toBe(false);
  });

  test.each<[string, Middleware, number]>([
    ['a status', (_req, res) => void res.status(204), 204],
    ['a redirect', (_req, res) => void res.redirect('/login'), 302],
    ['what it writes', (_req, res) => void res.writer().beginArray().endArray(), 200],
    ['what it returns', async () => 'x', 200],
  ])('may respond with %s alone', async (_name, middleware, status) => {
    const app = createApp()
      .use(middleware)
      .get('/', () => 'y');
    expect((await inject(app, '/')).statusCode).toBe(status);
    await close(app);
  });

  test('may close the connection', async () => {
    const app = createApp()
      .use((_req, res) => res.destroy())
      .get('/', () => 'y');
    await expect(inject(app, '/')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await close(app);
  });
});

describe('res.cookie()', () => {
  test.each<[string, unknown, object, string, string]>([
    [
      'an attribute in another case',
      'b',
      { httponly: true },
      'OPTION_UNKNOWN',
      "Unknown attribute `httponly` of the cookie 'a'. Did you mean `httpOnly`? All attributes: domain, expires, httpOnly, maxAge, partitioned, path, priority, sameSite, secure.",
    ],
    ['an attribute as in the header', 'b', { 'max-age': 1 }, 'OPTION_UNKNOWN', 'Did you mean `maxAge`?'],
    ['an unknown attribute', 'b', { signed: true }, 'OPTION_UNKNOWN', "`signed` of the cookie 'a'. All attributes:"],
    [
      'an invalid time',
      'b',
      { maxAge: '900' },
      'HEADER_INVALID',
      "Cannot set the cookie 'a': option maxAge is invalid: 900.",
    ],
    ['no value', undefined, {}, 'HEADER_INVALID', "Invalid value of the cookie 'a': expected a string, got undefined."],
    ['an object', { id: 1 }, {}, 'HEADER_INVALID', 'expected a string, got { id: 1 }.'],
  ])('with %s', async (_name, value, options, code, message) => {
    const app = createApp().get('/', (_req, res) => void res.cookie('a', value as string, options));
    expect(await failureOf(app)).toMatchObject({ code, message: expect.stringContaining(message) });
  });
});

describe('a handler that returns', () => {
  const circular: { a: { b?: object } } = { a: {} };
  circular.a.b = circular;
  const throwing = {
    toJSON() {
      throw new TypeError('on purpose');
    },
  };

  test.each<[string, unknown, object]>([
    [
      'a BigInt',
      { rows: [{ id: 1 }, { id: 2n }] },
      {
        code: 'RESPONSE_INVALID',
        message:
          'The handler returned a BigInt at /rows/1/id, which JSON cannot represent. Return a number or a string, or give the route a `response` schema with an integer there.',
      },
    ],
    [
      'an object that contains itself',
      circular,
      {
        code: 'RESPONSE_INVALID',
        message:
          'The handler returned an object that contains itself at /a/b, which JSON cannot represent. Return a copy without the cycle.',
      },
    ],
    ['an object whose `toJSON` throws', { at: throwing, same: [throwing, throwing] }, { message: 'on purpose' }],
  ])('%s', async (_name, value, error) => {
    expect(await failureOf(createApp().get('/', () => value))).toMatchObject(error);
  });
});

test('an HttpError whose status is a string', () => {
  expect(() => new HttpError('404' as never)).toThrow("expected an integer from 400 to 599, got '404'.");
});

test('inject() with a module instead of its app', async () => {
  const module = await import('../examples/quickstart/app.js');
  await expect(inject(module as never, '/')).rejects.toThrow('Pass its `default`.');
});
