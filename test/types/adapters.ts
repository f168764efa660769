/* Compiled, not run: apps of these frameworks are accepted as they are. */
import { Elysia } from 'elysia';
import { H3 } from 'h3';
import { Hono } from 'hono';
import { AutoRouter } from 'itty-router';
import { createApp } from 'loopshard';
import { type FetchOptions, fromFetch } from 'loopshard/adapters';

const hono = new Hono<{ Bindings: { region: string }; Variables: { user: string } }>();
const options: FetchOptions = {
  env: { region: 'eu' },
  body: 'stream',
  maxBodyBytes: 1,
  group: 'default',
  globals: false,
};

createApp()
  .mount('/hono', fromFetch(hono, options))
  .mount('/h3', fromFetch(new H3()))
  .mount('/elysia', fromFetch(new Elysia().get('/', () => 'x')))
  .mount('/itty', fromFetch(AutoRouter()))
  .mount(
    '/function',
    fromFetch((request: Request) => new Response(request.url)),
  )
  .mount(
    '/async',
    fromFetch(async (request: Request, env: { region: string }) => Response.json([request.url, env.region])),
  );

// @ts-expect-error a string is no app
fromFetch('app');
// @ts-expect-error an unknown option
fromFetch(hono, { timeout: 1 });
// @ts-expect-error only `stream`
fromFetch(hono, { body: 'whole' });
