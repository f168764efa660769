import { afterAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { type App, createApp, HttpError, type Middleware } from 'loopshard';
import { Apps } from './support/apps.js';
import { seed } from './support/random.js';

const apps = new Apps();
afterAll(apps.close);

/** Middleware that adds its name to the response. */
const mark =
  (name: string): Middleware =>
  (_req, res, next) => {
    res.append('x-passed', name);
    return next();
  };
const passed = (headers: Record<string, unknown>) => String(headers['x-passed'] ?? '');

describe('order', () => {
  test('middleware runs around the handler, the first one outermost', async () => {
    const seen: string[] = [];
    const around =
      (name: string): Middleware =>
      async (_req, _res, next) => {
        seen.push(`${name} before`);
        const value = await next();
        seen.push(`${name} after`);
        return value;
      };
    const app = createApp()
      .use(around('a'))
      .use(around('b'))
      .get('/', async () => {
        await null;
        seen.push('handler');
        return 'x';
      });
    const { ask } = await apps.run(app);
    expect((await ask('/')).body).toBe('x');
    expect(seen).toEqual(['a before', 'b before', 'handler', 'b after', 'a after']);
  });

  test('middleware that is added after a route does not run for it', async () => {
    const app = createApp()
      .get('/early', () => 'x')
      .use(mark('late'))
      .get('/later', () => 'x');
    const { ask } = await apps.run(app);
    expect(passed((await ask('/early')).headers)).toBe('');
    expect(passed((await ask('/later')).headers)).toBe('late');
  });

  test('a route without middleware calls its handler directly', () => {
    const app = createApp();
    const handler = () => 'x';
    app.use('/admin', mark('admin')).get('/free', handler).get('/admin/x', handler);
    const { route } = definition(app);
    expect(route(0).handler).toBe(handler);
    expect(route(1).handler).not.toBe(handler);
  });
});

describe("a handler's return value", () => {
  test('is visible to middleware before serialization, and can be replaced', async () => {
    const value = { secret: 1, open: 2 };
    const seen: unknown[] = [];
    const app = createApp()
      .use(async (_req, _res, next) => {
        const got = (await next()) as typeof value;
        seen.push(got);
        return { open: got.open };
      })
      .get('/', () => value);
    const { ask } = await apps.run(app);
    expect((await ask('/')).json()).toEqual({ open: 2 });
    expect(seen[0]).toBe(value);
  });

  test.each<[string, Middleware]>([
    ['returns nothing', (_req, _res, next) => void next()],
    ['awaits and returns nothing', async (_req, _res, next) => void (await next())],
    ['returns what `next` did', (_req, _res, next) => next()],
    ['returns undefined immediately, and the handler is slow', (_req, _res, next) => void next()],
  ])('is sent if middleware %s', async (_name, middleware) => {
    const app = createApp()
      .use(middleware)
      .get('/', async () => {
        await new Promise(setImmediate);
        return { kept: true };
      });
    const { ask } = await apps.run(app);
    expect((await ask('/')).json()).toEqual({ kept: true });
  });

  test.each<[string, Middleware, number, string]>([
    ['at once', () => 'instead', 200, 'instead'],
    ['later', async () => 'instead', 200, 'instead'],
    ['with null', () => null, 200, 'null'],
    ['with 204', (_req, res) => void res.status(204), 204, ''],
    ['with a status', (_req, res) => void res.status(401), 401, ''],
  ])('is not requested if middleware responds %s', async (_name, middleware, status, body) => {
    const handler = jest.fn(() => 'x');
    const { ask } = await apps.run(createApp().use(middleware).get('/', handler));
    const response = await ask('/');
    expect([response.statusCode, response.body]).toEqual([status, body]);
    expect(handler).not.toHaveBeenCalled();
  });

  test('may be a stream', async () => {
    const app = createApp()
      .use(mark('a'))
      .get('/', async function* () {
        yield 'one ';
        yield 'two';
      });
    const { ask } = await apps.run(app);
    const response = await ask('/');
    expect([response.body, passed(response.headers)]).toEqual(['one two', 'a']);
  });
});

describe('errors', () => {
  test.each<[string, Middleware]>([
    [
      'before `next`, synchronously',
      () => {
        throw new HttpError(418, 'no');
      },
    ],
    ['before `next`, later', async () => Promise.reject(new HttpError(418, 'no'))],
    [
      'after `next`',
      async (_req, _res, next) => {
        await next();
        throw new HttpError(418, 'no');
      },
    ],
  ])('that middleware throws %s get a response', async (_name, middleware) => {
    const { ask } = await apps.run(
      createApp()
        .use(middleware)
        .get('/', () => 'x'),
    );
    expect((await ask('/')).json()).toMatchObject({ statusCode: 418, message: 'no' });
  });

  test('that handlers throw reject the promise of `next`', async () => {
    const app = createApp()
      .use(async (req, _res, next) => {
        try {
          return await next();
        } catch (error) {
          return `${req.path}: ${(error as Error).message}`;
        }
      })
      .get('/sync', () => {
        throw new Error('at once');
      })
      .get('/async', async () => {
        throw new Error('later');
      });
    const { ask, logged } = await apps.run(app);
    expect((await ask('/sync')).body).toBe('/sync: at once');
    expect((await ask('/async')).body).toBe('/async: later');
    expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('that middleware does not catch keep their status', async () => {
    const app = createApp()
      .use(mark('a'))
      .get('/', () => {
        throw new HttpError(409);
      });
    const { ask } = await apps.run(app);
    expect((await ask('/')).statusCode).toBe(409);
  });

  test.each<[string, Middleware]>([
    ['a second time', (_req, _res, next) => Promise.all([next(), next()])],
    [
      'again after the handler',
      async (_req, _res, next) => {
        await next();
        return next();
      },
    ],
  ])('are thrown by `next` if called %s, and the handler runs once', async (_name, middleware) => {
    const handler = jest.fn(() => 'x');
    const { ask, logged } = await apps.run(createApp().use(middleware).get('/', handler));
    expect((await ask('/')).statusCode).toBe(500);
    expect(handler).toHaveBeenCalledTimes(1);
    expect(logged.at(-1)!.details.err).toMatchObject({
      code: 'MIDDLEWARE_INVALID',
      message: 'Middleware called `next()` more than once for the same request.',
    });
  });

  test('are thrown by `next` if called after the response was sent', async () => {
    const handler = jest.fn(() => 'x');
    let late: (() => Promise<unknown>) | undefined;
    const app = createApp()
      .use((_req, res, next) => {
        res.status(204);
        late = next;
      })
      .get('/', handler);
    const { ask } = await apps.run(app);
    expect((await ask('/')).statusCode).toBe(204);
    expect(() => late!()).toThrow('Middleware called `next()` after it had settled.');
    expect(handler).not.toHaveBeenCalled();
  });
});

describe('a prefix', () => {
  test.each([
    ['/admin', '/admin', true],
    ['/admin', '/admin/', true],
    ['/admin', '/admin/x/y', true],
    ['/admin', '/%61dmin/x', true],
    ['/admin', '/adm%69n', true],
    ['/admin', '/admin?x=/', true],
    ['/admin', '/administrator', false],
    ['/admin', '/admin%2Fx', false],
    ['/admin', '//admin', false],
    ['/admin', '/ADMIN', false],
    ['/admin', '/x/admin', false],
    ['/admin/', '/admin', true],
    ['/admin/*', '/admin', true],
    ['/:tenant/users', '/a/users/1', true],
    ['/:tenant/users', '/%C3%BC/users', true],
    ['/:tenant/users', '/a/posts', false],
    ['/grüße', '/gr%C3%BC%C3%9Fe/x', true],
    ['/a%20b', '/a%2520b', true],
    ['/a::b', '/a:b/c', true],
    ['/', '/anything', true],
    ['/*', '/anything', true],
    ['', '/anything', true],
  ])('%s and the path %s: %s', async (prefix, path, isCovered) => {
    // All kinds of routes that can match the path.
    const patterns = ['/*', '*', '/:one', '/:one/:two', '/:one/*', '/:one([^/]+)/:two([^/]+)', '/:one/:two?'];
    for (const pattern of patterns) {
      const app = createApp()
        .use(prefix, mark('m'))
        .all(pattern, () => 'x');
      const { ask } = await apps.run(app);
      const response = await ask(path);
      if (response.statusCode !== 404)
        expect([pattern, passed(response.headers)]).toEqual([pattern, isCovered ? 'm' : '']);
      await apps.close();
    }
  });

  test.each(['/*', '*', '/files/*'])(
    'covers paths below it that the wildcard route %s matches, but no others',
    async (pattern) => {
      const { ask } = await apps.run(
        createApp()
          .use('/files/private', mark('guard'))
          .get(pattern, () => 'x'),
      );
      expect(passed((await ask('/files/private/a')).headers)).toBe('guard');
      expect(passed((await ask('/files/public/a')).headers)).toBe('');
    },
  );

  test('covers routes whose regular expressions have slashes', async () => {
    const { ask } = await apps.run(
      createApp()
        .use('/:x/b', mark('guard'))
        .get('/:id([^/]+)/b', () => 'x'),
    );
    const response = await ask('/1/b');
    expect([response.statusCode, passed(response.headers)]).toEqual([200, 'guard']);
  });

  test('covers a target in absolute-form, whatever its host', async () => {
    const { ask } = await apps.run(
      createApp()
        .use('/admin', mark('guard'))
        .get('/*', () => 'x'),
    );
    expect(passed((await ask('http://other.test/admin/x')).headers)).toBe('guard');
  });

  test('covers `notFound` for paths below it', async () => {
    const app = createApp()
      .use('/admin', mark('guard'))
      .notFound(() => 'none');
    const { ask } = await apps.run(app);
    expect(passed((await ask('/admin/nowhere')).headers)).toBe('guard');
    expect(passed((await ask('/nowhere')).headers)).toBe('');
  });

  test('covers all paths below it, for random patterns and paths', async () => {
    process.stderr.write(`random seed ${seed}\n`);
    const segment = fc.constantFrom('a', 'admin', '%61', 'a-x', '');
    const part = fc.constantFrom('a', 'b', 'admin', ':p', ':p([^/]+)', ':p(^[ab]+$)', ':p-x', 'x.:p');
    const prefixPart = fc.constantFrom('a', 'b', 'admin', ':q');
    const cases = fc.sample(
      fc.record({
        prefix: fc.array(prefixPart, { minLength: 1, maxLength: 2 }),
        pattern: fc.array(part, { minLength: 0, maxLength: 3 }),
        ending: fc.constantFrom('', '/*', '/', '/:last?'),
        paths: fc.array(fc.array(segment, { minLength: 1, maxLength: 4 }), { minLength: 20, maxLength: 20 }),
      }),
      { numRuns: 150, seed },
    );
    let covered = 0;
    for (const { prefix, pattern, ending, paths } of cases) {
      const names = pattern.map((one, i) => one.replace(':p', `:p${i}`));
      const bare = `/${prefix.map((one, i) => one.replace(':q', `:q${i}`)).join('/')}`;
      const whole = `/${names.join('/')}`.replace(/\/$/, '') + ending || '/';
      const app = createApp()
        .use(bare, mark('guard'))
        .all(whole, () => 'x');
      const { ask } = await apps.run(app);
      for (const segments of paths) {
        const path = `/${segments.join('/')}`;
        const response = await ask(path);
        if (response.statusCode !== 200) continue;
        const decoded = path.split('/').slice(1).map(decodeURIComponent);
        const isBelow = prefix.every((one, i) => (one === ':q' ? decoded[i] !== undefined : decoded[i] === one));
        if (isBelow) covered++;
        expect([bare, whole, path, passed(response.headers)]).toEqual([bare, whole, path, isBelow ? 'guard' : '']);
      }
      await apps.close();
    }
    expect(covered).toBeGreaterThan(20);
  });

  test.each(['admin', '/a*', '/:id?', '/:id(\\d+)', '/*/b', 7, null])('cannot be %s', (prefix) => {
    expect(() => createApp().use(prefix as string, mark('m'))).toThrow(
      expect.objectContaining({
        code: 'ROUTE_INVALID',
        message: expect.stringContaining('`app.use()` expects a prefix such as `/api`'),
      }),
    );
  });
});

describe('a scope', () => {
  const scoped = () =>
    createApp()
      .use(mark('app'))
      .onError((error) => `app: ${(error as Error).message}`)
      .notFound(() => 'nothing in the app')
      .get('/outside', () => 'x')
      .scope('/api', { maxBodyBytes: 3 }, (api) => {
        api
          .use(mark('api'))
          .use('/v1', mark('v1'))
          .onError((error) => {
            if ((error as Error).message === 'inner') throw new Error('from inside');
            return `api: ${(error as Error).message}`;
          })
          .notFound(() => 'nothing in the api')
          .get('/', () => 'root')
          .get('/v1/users', () => 'users')
          .get('*', (req) => `any ${req.params['*']}`)
          .post('/echo', (req) => req.text())
          .post('/long', { maxBodyBytes: 10 }, (req) => req.text())
          .put('/fails', () => {
            throw new Error('late');
          })
          .put('/fails-inside', () => {
            throw new Error('inner');
          })
          .scope('/:tenant', (tenant) => tenant.use(mark('tenant')).put('/x', (req) => `${req.params.tenant}`));
      })
      .get('/later', () => 'x');

  test('adds its prefix to its routes, and runs its middleware inside that of the app', async () => {
    const { ask } = await apps.run(scoped());
    const path = async (url: string, method = 'GET') => {
      const response = await ask(url, { method });
      return [response.body, passed(response.headers)];
    };
    expect(await path('/api')).toEqual(['root', 'app, api']);
    expect(await path('/api/v1/users')).toEqual(['users', 'app, api, v1']);
    expect(await path('/api/v1/other')).toEqual(['any v1/other', 'app, api, v1']);
    expect(await path('/api/other')).toEqual(['any other', 'app, api']);
    expect(await path('/api/acme/x', 'PUT')).toEqual(['acme', 'app, api, tenant']);
    expect(await path('/outside')).toEqual(['x', 'app']);
    expect(await path('/later')).toEqual(['x', 'app']);
  });

  test('has its own error handler, whose errors go to that of the app', async () => {
    const { ask } = await apps.run(scoped());
    expect((await ask('/api/fails', { method: 'PUT' })).body).toBe('api: late');
    expect((await ask('/api/fails-inside', { method: 'PUT' })).body).toBe('app: from inside');
  });

  test('has its own `notFound`, with its middleware', async () => {
    const { ask } = await apps.run(scoped());
    const inside = await ask('/api/nowhere/at/all', { method: 'PATCH' });
    expect([inside.statusCode, inside.body]).toEqual([405, inside.body]);
    const app = createApp()
      .notFound(() => 'app')
      .scope('/api', (api) => void api.use(mark('api')).notFound(() => 'api'));
    const other = await apps.run(app);
    const below = await other.ask('/api/nowhere');
    expect([below.statusCode, below.body, passed(below.headers)]).toEqual([404, 'api', 'api']);
    const outside = await other.ask('/apiary');
    expect([outside.statusCode, outside.body, passed(outside.headers)]).toEqual([404, 'app', '']);
  });

  test('has default options for its routes', async () => {
    const { ask } = await apps.run(scoped());
    const status = async (url: string, payload: string) => (await ask(url, { method: 'POST', payload })).statusCode;
    expect(await status('/api/echo', 'abc')).toBe(200);
    expect(await status('/api/echo', 'abcd')).toBe(413);
    expect(await status('/api/long', '0123456789')).toBe(200);
    expect(await status('/api/long', '0123456789a')).toBe(413);
  });

  test.each<[string, (app: App) => unknown, string]>([
    ['without a function', (app) => app.scope('/a', undefined as never), '`app.scope()` expects a function'],
    ['with an unknown option', (app) => app.scope('/a', { maxBody: 1 } as never, () => {}), 'Unknown option `maxBody`'],
    [
      'with a pattern without a slash',
      (app) => app.scope('/a', (a) => void a.get('b', () => 'x')),
      'Invalid route `GET b`',
    ],
    ['with a relative prefix', (app) => app.scope('a', () => {}), '`app.scope()` expects a prefix such as `/api`'],
  ])('%s is rejected', (_name, act, message) => {
    expect(() => act(createApp())).toThrow(message);
  });
});

describe('a mounted app', () => {
  test('keeps its middleware, error handler and listeners, and gets those of the surrounding scope', async () => {
    const events: string[] = [];
    const other = createApp()
      .use('/x', mark('other x'))
      .use(mark('other'))
      .onError((error) => `other: ${(error as Error).message}`)
      .onStart(() => void events.push('start'))
      .get('/', () => 'root')
      .get('/x/y', () => 'y')
      .post('/echo', (req) => req.text())
      .put('/fails', () => {
        throw new Error('late');
      });
    const app = createApp()
      .use(mark('app'))
      .scope('/api', { maxBodyBytes: 2 }, (api) => void api.use(mark('api')).mount('/v1', other).mount('/v2', other));
    const { ask } = await apps.run(app);
    const root = await ask('/api/v1');
    expect([root.body, passed(root.headers)]).toEqual(['root', 'app, api, other']);
    const below = await ask('/api/v2/x/y');
    expect([below.body, passed(below.headers)]).toEqual(['y', 'app, api, other x, other']);
    expect((await ask('/api/v1/fails', { method: 'PUT' })).body).toBe('other: late');
    expect((await ask('/api/v1/echo', { method: 'POST', payload: 'abc' })).statusCode).toBe(413);
    expect(events).toEqual(['start']);
  });

  test('cannot be changed or mounted into itself', () => {
    const other = createApp();
    createApp().mount('/a', other);
    const changes: ((app: App) => unknown)[] = [
      (app) => app.get('/', () => 'x'),
      (app) => app.use(mark('m')),
      (app) => app.onError(() => 'x'),
      (app) => app.notFound(() => 'x'),
      (app) => app.onStart(() => {}),
      (app) => app.onClose(() => {}),
      (app) => app.refusals({}),
      (app) => app.context((_req, run) => run()),
      (app) => app.scope('/a', () => {}),
      (app) => app.mount('/b', createApp()),
      (app) => app.fixed('/x', 1),
    ];
    for (const change of changes) expect(() => change(other)).toThrow('Cannot change an app that was mounted.');
    const app = createApp();
    expect(() => app.mount('/a', app)).toThrow('Cannot mount an app into itself.');
    expect(() => app.mount('/a', {} as App)).toThrow('`app.mount()` expects an app');
  });
});

test('a loaded app cannot be changed', async () => {
  const app = createApp().get('/', () => 'x');
  await apps.run(app);
  expect(() => app.get('/late', () => 'x')).toThrow('Cannot change an app once its module is loaded.');
  expect(() => app.use(mark('late'))).toThrow('Cannot change an app once its module is loaded.');
});

/** Returns the definition that shards read. */
function definition(app: App): { route(number: number): { handler: unknown } } {
  const found = (app as unknown as Record<symbol, { route(number: number): { handler: unknown } }>)[
    Symbol.for('loopshard.app')
  ];
  return { route: (number) => found.route(number) };
}
