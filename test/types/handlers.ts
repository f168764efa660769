/* Types of middleware, handlers, responses and errors. Checked by `npm run typecheck`; never run. */
import { Readable } from 'node:stream';
import { expectTypeOf } from 'expect-type';
import {
  type App,
  createApp,
  type ErrorHandler,
  type Handler,
  HttpError,
  type Middleware,
  type ShardInfo,
  type ShardRequest,
  type ShardResponse,
} from 'loopshard';
import { inject } from 'loopshard/testing';

interface User {
  name: string;
}
declare module 'loopshard' {
  interface ShardRequest {
    /** As apps declare what their middleware adds. */
    typeTestUser?: User;
  }
}

const app = createApp();
expectTypeOf(app).toEqualTypeOf<App>();

// ── middleware ────────────────────────────────────────────────────────────────────────────────────────────────────

app.use((req, res, next) => {
  expectTypeOf(req).toEqualTypeOf<ShardRequest>();
  expectTypeOf(res).toEqualTypeOf<ShardResponse>();
  expectTypeOf(next).toEqualTypeOf<() => Promise<unknown>>();
  req.typeTestUser = { name: 'Ada' };
  return next();
});
app.use('/admin', async (_req, _res, next) => {
  const value = await next();
  expectTypeOf(value).toEqualTypeOf<unknown>();
});
const named: Middleware = (_req, _res, next) => next();
app.use(named).use('/x', named);
// @ts-expect-error: one function at a time
app.use(named, named);
// @ts-expect-error: error handlers belong in `app.onError()`
app.use((_error: Error, _req: unknown, _res: unknown, _next: unknown) => {});

app.get('/user', (req) => {
  expectTypeOf(req.typeTestUser).toEqualTypeOf<User | undefined>();
});

// ── what handlers return ──────────────────────────────────────────────────────────────────────────────────────────

const handlers: Handler[] = [
  () => 'text',
  () => ({ a: 1 }),
  () => null,
  () => undefined,
  () => {},
  async () => {},
  () => new Uint8Array(),
  () => new ArrayBuffer(1),
  () => new DataView(new ArrayBuffer(1)),
  () => new Blob([]),
  () => new URLSearchParams(),
  () => new Response(),
  () => fetch('http://a.test'),
  () => Readable.from([]),
  () => new ReadableStream(),
  function* () {
    yield 'x';
  },
  async function* () {
    yield 'x';
  },
];
for (const handler of handlers) app.get('/x', handler);

// ── res ───────────────────────────────────────────────────────────────────────────────────────────────────────────

app.get('/res', (req, res) => {
  expectTypeOf(res.status(201).header('a', 'b').append('a', ['b']).type('a/b')).toEqualTypeOf<ShardResponse>();
  expectTypeOf(res.getHeader('a')).toEqualTypeOf<string | readonly string[] | undefined>();
  expectTypeOf(res.fresh).toEqualTypeOf<boolean>();
  expectTypeOf(res.destroy()).toEqualTypeOf<void>();
  res.header('a', 7).cookie('a', 'b', { httpOnly: true, sameSite: 'lax', maxAge: 1 }).redirect('/', 308);
  // @ts-expect-error: `status()` sets it
  res.statusCode = 201;
  // @ts-expect-error: `type()` sets it
  res.contentType = 'a/b';
  // @ts-expect-error: no such method
  res.set('a', 'b');
  // @ts-expect-error: not an attribute of cookies
  res.cookie('a', 'b', { httponly: true });
  // @ts-expect-error: a status is a number
  res.status('201');
  expectTypeOf(req.protocol).toEqualTypeOf<'http' | 'https'>();
  expectTypeOf(req.ip).toEqualTypeOf<string | undefined>();
  expectTypeOf(req.ips).toEqualTypeOf<readonly string[]>();
});

// ── errors, refusals, lifecycle, testing ──────────────────────────────────────────────────────────────────────────

const onError: ErrorHandler = (error, req, res) => {
  expectTypeOf(error).toEqualTypeOf<unknown>();
  expectTypeOf(req).toEqualTypeOf<ShardRequest>();
  expectTypeOf(res).toEqualTypeOf<ShardResponse>();
  return error instanceof HttpError ? error.details : undefined;
};
app.onError(onError, { keepHeaders: true });
expectTypeOf(
  new HttpError(404, 'x', { code: 'X', headers: { a: 'b' }, details: { a: 1 }, cause: 1 }).statusCode,
).toEqualTypeOf<number>();
// @ts-expect-error: no such option
new HttpError(404, 'x', { detail: {} });
app.refusals({ status: 404, headers: { a: 'b' }, type: 'a/b', body: '' }).refusals({ status: '4xx' });
// @ts-expect-error: no such class
app.refusals({ status: '3xx' });
app
  .onStart((info) => expectTypeOf(info).toEqualTypeOf<ShardInfo>())
  .onClose(async ({ shard, group }) => {
    expectTypeOf(shard).toEqualTypeOf<number>();
    expectTypeOf(group).toEqualTypeOf<string>();
  });
app.files('/a', new URL('file:///a'), { precompressed: true }).fixed('/b', { a: 1 }, { type: 'a/b' });

const response = await inject(app, { method: 'POST', url: '/x', payload: {} });
expectTypeOf(response.json<User>()).toEqualTypeOf<User>();
expectTypeOf(response.statusCode).toEqualTypeOf<number>();
// @ts-expect-error: no URL
await inject(app, { method: 'POST' });
