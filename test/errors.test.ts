import { afterAll, describe, expect, test } from '@jest/globals';
import { createApp, type ErrorHandler, HttpError, type HttpErrorOptions } from 'loopshard';
import { Apps } from './support/apps.js';
import { exchange, get, RawClient } from './support/client.js';
import { startServer, until } from './support/server.js';

const apps = new Apps();
afterAll(apps.close);

/** Returns the response to a thrown value, and the log. */
async function thrown(error: unknown) {
  const { ask, logged } = await apps.run(
    createApp().get('/', () => {
      throw error;
    }),
  );
  return { response: await ask('/'), logged };
}

const withProperties = (properties: object, message = 'the message') => Object.assign(new Error(message), properties);
const UNKNOWN = {
  statusCode: 500,
  code: 'HANDLER_FAILED',
  message: 'The handler failed. The server has logged the error.',
};

describe('an HttpError', () => {
  test.each<[string, HttpError, object]>([
    ['of a status alone', new HttpError(404), { statusCode: 404, code: 'NOT_FOUND', message: 'Not Found' }],
    ['with a message', new HttpError(409, 'Sold out.'), { statusCode: 409, code: 'CONFLICT', message: 'Sold out.' }],
    [
      'with code and details',
      new HttpError(422, 'No.', { code: 'NO_STOCK', details: { left: 0 } }),
      { statusCode: 422, code: 'NO_STOCK', message: 'No.', left: 0 },
    ],
    ['of a status without a name', new HttpError(499, 'x'), { statusCode: 499, code: 'STATUS_499', message: 'x' }],
    [
      'that hides its message',
      new HttpError(403, 'secret', { expose: false, code: 'SECRET', details: { secret: 1 } }),
      { statusCode: 403, code: 'FORBIDDEN', message: 'The server could not handle the request.' },
    ],
    [
      'of the server that hides its message',
      new HttpError(502, 'secret', { code: 'SECRET', details: { secret: 1 } }),
      { statusCode: 502, code: 'BAD_GATEWAY', message: 'The server could not handle the request.' },
    ],
    [
      'of the server that shows its message',
      new HttpError(503, 'Back at noon.', { expose: true, code: 'NOON', details: { at: 12 } }),
      { statusCode: 503, code: 'NOON', message: 'Back at noon.', at: 12 },
    ],
  ])('%s', async (_name, error, body) => {
    const { response, logged } = await thrown(error);
    expect([response.statusCode, response.json()]).toEqual([error.statusCode, body]);
    expect(response.headers['content-type']).toBe('application/json');
    expect(logged.length).toBe(error.statusCode >= 500 ? 1 : 0);
  });

  test('has its headers sent, except those that describe the message', async () => {
    const headers = { 'WWW-Authenticate': 'Bearer', 'content-length': '1', 'content-type': 'x/y', connection: 'x' };
    const { response } = await thrown(new HttpError(401, 'No.', { headers }));
    expect(response.headers).toMatchObject({ 'www-authenticate': 'Bearer', 'content-type': 'application/json' });
    expect(response.json()).toMatchObject({ message: 'No.' });
  });

  test('is an `Error` with a name, a cause and a stack', () => {
    const cause = new Error('inner');
    const error = new HttpError(404, 'x', { cause });
    expect([error instanceof Error, error.name, error.cause]).toEqual([true, 'HttpError', cause]);
    expect(error.stack).toMatch(/^HttpError: x\n|^Error: x\n/);
  });

  test.each([200, 399, 600, 404.5, '404', undefined])('rejects the status %p', (status) => {
    expect(() => new HttpError(status as number, 'x', {} as HttpErrorOptions)).toThrow(
      expect.objectContaining({ code: 'STATUS_INVALID' }),
    );
  });

  test('with details that are not JSON is a 500', async () => {
    const details: Record<string, unknown> = {};
    details.self = details;
    const { response } = await thrown(new HttpError(404, 'x', { details }));
    expect(response.json()).toEqual(UNKNOWN);
  });
});

describe('the convention of http-errors', () => {
  test.each<[string, unknown, object]>([
    ['statusCode', withProperties({ statusCode: 404 }), { statusCode: 404, code: 'NOT_FOUND', message: 'the message' }],
    ['status', withProperties({ status: 410 }), { statusCode: 410, code: 'GONE', message: 'the message' }],
    ['statusCode before status', withProperties({ statusCode: 404, status: 410 }), { statusCode: 404 }],
    ['code', withProperties({ status: 409, code: 'TAKEN' }), { statusCode: 409, code: 'TAKEN' }],
    [
      'expose: false',
      withProperties({ status: 404, expose: false, code: 'SECRET' }),
      { code: 'NOT_FOUND', message: 'The server could not handle the request.' },
    ],
    ['expose: true', withProperties({ status: 500, expose: true }), { statusCode: 500, message: 'the message' }],
    [
      '500 and no expose',
      withProperties({ status: 500 }),
      { statusCode: 500, code: 'INTERNAL_SERVER_ERROR', message: 'The server could not handle the request.' },
    ],
    ['a subclass', Object.assign(new TypeError('the message'), { status: 400 }), { statusCode: 400 }],
    ['a success', withProperties({ status: 200 }), UNKNOWN],
    ['a redirect', withProperties({ status: 302 }), UNKNOWN],
    ['text', withProperties({ status: '404' }), UNKNOWN],
    ['only a code', withProperties({ code: 'ENOENT' }), UNKNOWN],
    ['a thrown object that is not an error', { statusCode: 404 }, UNKNOWN],
    ['text that is thrown', 'the message', UNKNOWN],
    ['nothing', undefined, UNKNOWN],
    [
      'a getter that throws',
      Object.defineProperty(new Error('x'), 'status', {
        get: () => {
          throw new Error('y');
        },
      }),
      UNKNOWN,
    ],
    [
      'a proxy that throws',
      new Proxy(new Error('x'), {
        get: () => {
          throw new Error('y');
        },
        getPrototypeOf: () => {
          throw new Error('z');
        },
      }),
      UNKNOWN,
    ],
  ])('with %s', async (_name, error, body) => {
    const { response } = await thrown(error);
    const sent = response.json<{ statusCode: number }>();
    expect(sent).toMatchObject(body);
    expect(response.statusCode).toBe(sent.statusCode);
  });

  test('has its headers sent', async () => {
    const { response } = await thrown(withProperties({ status: 429, headers: { 'Retry-After': 7 } }));
    expect([response.statusCode, response.headers['retry-after']]).toEqual([429, '7']);
  });
});

describe('headers that were set before an error', () => {
  const app = (onError?: [handler: ErrorHandler, options?: { keepHeaders: boolean }]) => {
    const made = createApp().use((_req, res, next) => {
      res.header('access-control-allow-origin', '*').header('content-encoding', 'gzip').type('text/x').etag('v1');
      return next();
    });
    if (onError !== undefined) made.onError(...onError);
    return made.get('/', () => {
      throw new HttpError(404, 'x', { headers: { 'x-error': '1' } });
    });
  };
  const rethrow: ErrorHandler = (error) => {
    throw error;
  };
  const say: ErrorHandler = (error, _req, res) => {
    res.header('x-handler', '1');
    return (error as Error).message;
  };

  test.each<[string, Parameters<typeof app>[0], boolean]>([
    ['are left out', undefined, false],
    ['are left out for an error handler', [say], false],
    ['are kept for an error handler that asks for it', [say, { keepHeaders: true }], true],
    ['are kept if that error handler throws', [rethrow, { keepHeaders: true }], true],
  ])('%s', async (_name, onError, isKept) => {
    const { ask } = await apps.run(app(onError));
    const { statusCode, headers, body } = await ask('/');
    expect(statusCode).toBe(404);
    expect(headers['access-control-allow-origin']).toBe(isKept ? '*' : undefined);
    // Headers that describe the discarded body are removed.
    expect([headers['content-encoding'], headers.etag]).toEqual([undefined, undefined]);
    if (onError?.[0] === say)
      expect([body, headers['x-handler'], headers['content-type']]).toEqual(['x', '1', 'text/plain; charset=utf-8']);
    else expect([headers['x-error'], headers['content-type']]).toEqual(['1', 'application/json']);
  });
});

describe('an error handler', () => {
  test('gets the status of the error, and may set another', async () => {
    const { ask } = await apps.run(
      createApp()
        .onError((error, req, res) => {
          if (req.query.as !== undefined) res.status(Number(req.query.as));
          return { was: (error as Error).message, status: res.statusCode };
        })
        .get('/http', () => {
          throw new HttpError(418, 'tea');
        })
        .get('/plain', async () => {
          throw new Error('oops');
        }),
    );
    expect((await ask('/http')).json()).toEqual({ was: 'tea', status: 418 });
    expect((await ask('/plain')).statusCode).toBe(500);
    const other = await ask('/plain?as=200');
    expect([other.statusCode, other.json()]).toEqual([200, { was: 'oops', status: 200 }]);
  });

  test('gets errors of notFound and of validation', async () => {
    const { ask } = await apps.run(
      createApp()
        .onError((error) => (error as HttpError).statusCode)
        .notFound(() => {
          throw new HttpError(410);
        })
        .get('/', { query: { type: 'object', required: ['a'] } }, () => 'x'),
    );
    const gone = await ask('/nowhere');
    expect([gone.statusCode, gone.body]).toEqual([410, '410']);
    expect((await ask('/')).body).toBe('400');
  });
});

describe('the log', () => {
  test('keeps type, code, cause, errors and own properties', async () => {
    const { server, port, logged } = await startServer({ shards: 1 }, 'errors.js');
    expect((await exchange(port, get('/deep'))).status).toBe(500);
    const { message, details } = logged[0];
    expect(message).toBe('GET /deep failed');
    expect(details).toMatchObject({ req: { method: 'GET', target: '/deep' } });
    const err = details.err as Error & Record<string, unknown> & { errors: Error[]; cause: Error & { cause: Error } };
    expect([err.constructor.name, err.name, err.message, err.code]).toEqual([
      'OrderError',
      'Error',
      'order failed',
      'E_ORDER',
    ]);
    expect(err).toMatchObject({ order: 7, lines: [{ sku: 'a' }] });
    expect(String(err.callback)).toContain('Function');
    expect(err.stack).toContain('errors.js');
    expect([err.cause.message, err.cause.cause.message]).toEqual(['database', 'socket']);
    expect((err.cause.cause as Error & { syscall: string }).syscall).toBe('connect');
    expect(err.errors.map((error) => [error.constructor.name, error.message])).toEqual([
      ['TypeError', 'one'],
      ['RangeError', 'two'],
    ]);
    await server.close();
  });

  test('shows thrown values that are not errors, as far as possible', async () => {
    const { server, port, logged } = await startServer({ shards: 1 }, 'errors.js');
    for (const [path, message] of [
      ['/text', 'just text'],
      ['/object', "{ reason: 'an object' }"],
      ['/nothing', 'undefined'],
    ]) {
      await exchange(port, get(path));
      expect(logged.at(-1)!.details.err!.message).toBe(message);
    }
    await exchange(port, get('/endless'));
    expect(logged.at(-1)!.details.err).toMatchObject({ message: 'cause of itself' });
    await server.close();
  });

  test('omits errors below 500 and those after the client disconnected', async () => {
    const { server, port, logged } = await startServer({ shards: 1 }, 'errors.js');
    expect((await exchange(port, get('/missing'))).status).toBe(404);
    for (const path of ['/left', '/left-stream']) {
      const client = await RawClient.open(port);
      client.write(get(path));
      await until(async () => (await exchange(port, get('/seen'))).body.toString() === `${path} waits`, 'the handler');
      client.socket.resetAndDestroy();
      await until(async () => (await exchange(port, get('/seen'))).body.toString() === `${path} fails`, 'the failure');
    }
    // Their lines would come before the next log line.
    await exchange(port, get('/text'));
    expect(logged.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual(['GET /text failed']);
    await server.close();
  });
});
