/* Types of requests and responses follow from schemas. Checked by `npm run typecheck`; never run. */
import { Type } from '@sinclair/typebox';
import { type } from 'arktype';
import { expectTypeOf } from 'expect-type';
import { createApp } from 'loopshard';
import * as TypeBox1 from 'typebox';
import * as v from 'valibot';
import { z } from 'zod';

interface Product {
  name: string;
  price: number;
}
const app = createApp();

app.post('/zod/:shop', { body: z.object({ name: z.string(), price: z.coerce.number() }) }, (req) => {
  expectTypeOf(req.body).toEqualTypeOf<Product>();
  expectTypeOf(req.params.shop).toEqualTypeOf<string>();
  // @ts-expect-error: a name that the schema does not have
  return req.body.prize;
});
app.post('/valibot', { body: v.object({ name: v.string(), price: v.number() }) }, (req) => {
  expectTypeOf(req.body).toEqualTypeOf<Product>();
});
app.post('/arktype', { body: type({ name: 'string', price: 'number' }) }, (req) => {
  expectTypeOf(req.body).toEqualTypeOf<Product>();
});
app.post('/typebox', { body: Type.Object({ name: Type.String(), price: Type.Number() }) }, (req) => {
  expectTypeOf(req.body).toEqualTypeOf<Product>();
});
app.post(
  '/typebox-1',
  { body: TypeBox1.Type.Object({ name: TypeBox1.Type.String(), price: TypeBox1.Type.Number() }) },
  (req) => {
    expectTypeOf(req.body.name).toEqualTypeOf<string>();
    expectTypeOf(req.body.price).toEqualTypeOf<number>();
  },
);
app.post(
  '/json-schema',
  {
    body: {
      type: 'object',
      properties: { name: { type: 'string' }, price: { type: 'number' }, kind: { enum: ['new', 'used'] } },
      required: ['name', 'price'],
    },
  },
  (req) => {
    expectTypeOf(req.body.name).toEqualTypeOf<string>();
    expectTypeOf(req.body.price).toEqualTypeOf<number>();
    expectTypeOf(req.body.kind).toEqualTypeOf<'new' | 'used' | undefined>();
    // @ts-expect-error: a name that the schema does not have
    return req.body.prize;
  },
);

// The output of a schema is what handlers get.
app.get(
  '/all/:id',
  {
    params: z.object({ id: z.coerce.number() }),
    query: z.object({ deep: z.stringbool().default(false) }),
    headers: v.object({ 'x-count': v.pipe(v.string(), v.transform(Number)) }),
  },
  (req) => {
    expectTypeOf(req.params).toEqualTypeOf<{ id: number }>();
    expectTypeOf(req.query).toEqualTypeOf<{ deep: boolean }>();
    expectTypeOf(req.headers).toEqualTypeOf<{ 'x-count': number }>();
    expectTypeOf(req.body).toEqualTypeOf<unknown>();
  },
);

app.get('/none', (req) => {
  expectTypeOf(req.query.a).toEqualTypeOf<string | string[] | undefined>();
  expectTypeOf(req.headers.a).toEqualTypeOf<string | undefined>();
  expectTypeOf(req.cookies.a).toEqualTypeOf<string | undefined>();
  expectTypeOf(req.body).toEqualTypeOf<unknown>();
  expectTypeOf(req.json()).toEqualTypeOf<unknown>();
  expectTypeOf(req.json<Product>()).toEqualTypeOf<Product>();
  // @ts-expect-error: properties of requests are read-only
  req.id = 'x';
});
app.post('/stream', { body: 'stream' }, async (req) => {
  expectTypeOf(req.body).toEqualTypeOf<never>();
  for await (const chunk of req.stream()) expectTypeOf(chunk).toEqualTypeOf<Uint8Array>();
});

// ── responses ─────────────────────────────────────────────────────────────────────────────────────────────────────

const A = z.object({ a: z.string() });
const B = Type.Object({ b: Type.Number() });

app.get('/response', { response: A }, () => ({ a: 'x' }));
app.get('/response', { response: A }, async () => ({ a: 'x' }));
app.get('/response', { response: A }, () => new Uint8Array());
app.get('/response', { response: A }, (_req, res) => void res.status(204));
// @ts-expect-error: a value of the wrong type
app.get('/response', { response: A }, () => ({ a: 7 }));
// @ts-expect-error: a required property is missing
app.get('/response', { response: A }, async () => ({}));
app.get('/by-status', { response: { 200: A, '4xx': B } }, (req, res) => {
  if (req.query.ok !== undefined) return { a: 'x' };
  res.status(404);
  return { b: 1 };
});
// @ts-expect-error: matches the schema of no status
app.get('/by-status', { response: { 200: A, '4xx': B } }, () => ({ c: 1 }));
const C = { type: 'object', properties: { c: { type: 'string' } }, required: ['c'] } as const;
app.get('/json-schema', { response: C }, () => ({ c: 'x' }));
// @ts-expect-error: a value of the wrong type
app.get('/json-schema', { response: C }, () => ({ c: 1 }));
// @ts-expect-error: an unknown option
app.get('/unknown', { respones: A }, () => 'x');
// @ts-expect-error: no handler
app.get('/unknown', { response: A });
