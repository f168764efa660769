import { afterAll, describe, expect, test } from '@jest/globals';
import { Type } from '@sinclair/typebox';
import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import { createApp, type RouteOptions } from 'loopshard';
import * as v from 'valibot';
import { z } from 'zod';
import { Apps } from './support/apps.js';

const apps = new Apps();
afterAll(apps.close);

const object = (...names: string[]) => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  required: names,
});
const everything = { a: 'a', b: 'b', c: 'c', d: 'd', secret: 'secret' };

function statuses(response: unknown) {
  return createApp().get('/:status', { response } as RouteOptions, (req, res) => {
    const { status } = req.params as unknown as { status: string };
    if (status !== 'none') res.status(Number(status));
    return everything;
  });
}

describe('responses by status', () => {
  test('are written by the most specific schema for the status', async () => {
    const response = {
      200: object('a'),
      404: object('b'),
      '4xx': object('c'),
      '5XX': object('d'),
      default: object('a', 'b'),
    };
    const { ask } = await apps.run(statuses(response));
    for (const [status, names] of [
      ['none', 'a'],
      ['200', 'a'],
      ['201', 'ab'],
      ['301', 'ab'],
      ['404', 'b'],
      ['400', 'c'],
      ['499', 'c'],
      ['500', 'd'],
    ]) {
      expect([status, Object.keys((await ask(`/${status}`)).json()).join('')]).toEqual([status, names]);
    }
  });

  test('fail for a status without a schema, and log the status', async () => {
    const { ask, logged } = await apps.run(statuses({ 200: object('a') }));
    const response = await ask('/201');
    expect([response.statusCode, response.body.includes('secret')]).toEqual([500, false]);
    expect(logged[0].details.err).toMatchObject({
      code: 'RESPONSE_INVALID',
      message:
        'GET /:status has no response schema for status 201. Add one to `response`, for this status, for `2xx` or for `default`.',
    });
  });

  test('may omit the body if the status has none', async () => {
    const app = createApp()
      .get('/empty', { response: { 200: object('a') } }, (_req, res) => void res.status(204))
      .get('/nothing', { response: { 200: object('a') } }, () => undefined)
      .get('/bytes', { response: { 200: object('a') } }, (_req, res) => {
        res.status(202);
        return new Uint8Array([120]);
      });
    const { ask } = await apps.run(app);
    expect((await ask('/empty')).statusCode).toBe(204);
    expect((await ask('/nothing')).statusCode).toBe(204);
    expect((await ask('/bytes')).body).toBe('x');
  });

  test('also apply to error handlers if the route has a schema for the status', async () => {
    const app = createApp()
      .onError((_error, _req, res) => {
        if (res.statusCode === 500) res.status(503);
        return everything;
      })
      .get('/named', { response: { 200: object('a'), 503: object('b') } }, () => {
        throw new Error('x');
      })
      .get('/unnamed', { response: { 200: object('a') } }, () => {
        throw new Error('x');
      });
    const { ask } = await apps.run(app);
    expect((await ask('/named')).json()).toEqual({ b: 'b' });
    expect([(await ask('/unnamed')).statusCode, (await ask('/unnamed')).json()]).toEqual([503, everything]);
  });

  test('that do not match fail with the path', async () => {
    const app = createApp().get('/', { response: { 200: object('a') } } as RouteOptions, () => ({ a: {} }));
    const { ask, logged } = await apps.run(app);
    expect((await ask('/')).statusCode).toBe(500);
    expect(logged[0].details.err).toMatchObject({ code: 'VALUE_MISMATCH' });
  });
});

describe('a schema of responses', () => {
  const kinds: [string, unknown][] = [
    ['JSON Schema', object('a')],
    ['TypeBox', Type.Object({ a: Type.String() })],
    ['arktype', type({ a: 'string' })],
    ['valibot with its JSON Schema', toStandardJsonSchema(v.object({ a: v.string() }))],
  ];
  test.each(kinds)('by %s omits properties that it does not name, alone and by status', async (_name, schema) => {
    for (const response of [schema, { 200: schema }]) {
      const { ask } = await apps.run(statuses(response));
      expect((await ask('/200')).json()).toEqual({ a: 'a' });
      await apps.close();
    }
  });

  test('by zod leaves out what the schema does not name; a strict object fails on it, and is not sent', async () => {
    const { ask } = await apps.run(statuses(z.object({ a: z.string() })));
    const response = await ask('/200');
    expect([response.statusCode, response.body.includes('secret')]).toEqual([200, false]);
    const strict = await apps.run(statuses(z.strictObject({ a: z.string() })));
    const refused = await strict.ask('/200');
    expect([refused.statusCode, refused.body.includes('secret')]).toEqual([500, false]);
    expect(strict.logged[0].details.err).toMatchObject({ code: 'VALUE_MISMATCH' });
  });

  test.each<[string, unknown, string, string]>([
    [
      'a Standard Schema without a JSON Schema',
      v.object({ a: v.string() }),
      'SCHEMA_INVALID',
      'Response schema of GET /:status',
    ],
    ['one by status', { 200: v.object({}) }, 'SCHEMA_INVALID', 'Response schema of GET /:status for status 200'],
    [
      'names of properties',
      { name: { type: 'string' } },
      'ROUTE_INVALID',
      'expected a schema or schemas by status, got an object with name.',
    ],
    [
      'statuses and keywords',
      { 200: object('a'), type: 'object' },
      'ROUTE_INVALID',
      'mixes statuses (200) with other keys (type)',
    ],
    [
      'statuses and names',
      { 200: object('a'), 404: object('b'), no: {} },
      'ROUTE_INVALID',
      'mixes statuses (200, 404) with other keys (no)',
    ],
    ['an invalid status', { 600: object('a') }, 'ROUTE_INVALID', 'expected a schema or schemas by status'],
    ['an invalid class', { '6xx': object('a') }, 'ROUTE_INVALID', 'expected a schema or schemas by status'],
    ['a number', 7, 'SCHEMA_INVALID', 'Response schema of GET /:status'],
    ['an array', [object('a')], 'ROUTE_INVALID', 'expected a schema or schemas by status'],
    ['a wrong schema', { 200: { type: 'strin' } }, 'SCHEMA_INVALID', 'for status 200'],
    ['a wrong schema for all others', { default: 7, 200: {} }, 'SCHEMA_INVALID', 'for all other statuses'],
  ])('that is %s is rejected at the start', (_name, response, code, message) => {
    expect(() => statuses(response)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
