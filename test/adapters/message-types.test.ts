import { createServer, IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { afterAll, describe, expect, test } from '@jest/globals';
import express, { type Express, type Request, type Response } from 'express';
import { createApp } from 'loopshard';
import { fromNode } from 'loopshard/adapters';
import { Apps } from '../support/apps.js';

// It has no types of its own.
const express4 = createRequire(import.meta.url)('express-4') as typeof express;

setFlagsFromString('--allow-natives-syntax');
const haveSameClass = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: object, b: object) => boolean;
const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean;

const apps = new Apps();
afterAll(apps.close);

/** Sends requests to an app of Express, and returns the messages of each. */
async function messagesOf(app: Express, exported: object = app): Promise<[Request, Response][]> {
  const messages: [Request, Response][] = [];
  app.get('/', (req, res) => {
    messages.push([req, res]);
    res.json({ address: req.socket.remoteAddress });
  });
  const { ask } = await apps.run(createApp().mount('/', fromNode(exported)));
  for (let i = 0; i < 30; i++) expect((await ask('/?a=1')).json()).toEqual({ address: '127.0.0.1' });
  return messages;
}

/** Wraps a method of responses that uses what Express adds to them. */
function needsLocals<T extends (this: Response, ...args: never[]) => unknown>(method: T) {
  return function (this: Response, ...args: Parameters<T>) {
    expect(Object.getPrototypeOf(this.locals)).toBe(null);
    return method.apply(this, args);
  };
}

/** Gives a request a property for which the prototype of Express has only a getter. */
function claims(req: object) {
  Object.assign(req, { protocol: 'gopher' });
}

function swallowsSocket(target: object, key: PropertyKey, value: unknown, receiver: unknown) {
  return key === 'socket' || Reflect.set(target, key, value, receiver);
}

/** An app, with a method that its types leave out. */
type Handling = Express & { handle: RequestListener };

function handlesLater(app: Express) {
  const { handle } = app as Handling;
  (app as Handling).handle = (req, ...rest) => {
    claims(req);
    handle.call(app, req, ...rest);
  };
}

function calls(app: Express, ...args: unknown[]) {
  claims(args[0] as object);
  Reflect.apply(app, undefined, args);
}

function emitsLater(server: Server) {
  const { emit } = server;
  server.emit = (event: string, ...args: object[]) => {
    if (event === 'request') claims(args[0]);
    return Reflect.apply(emit, server, [event, ...args]);
  };
}

describe('messages of an app of Express', () => {
  test.each([
    ['exported', express(), (app: Express) => app],
    ['in a server', express(), (app: Express) => createServer(app as RequestListener)],
  ])('have a hidden class in common: %s', async (_, app, exported) => {
    const messages = await messagesOf(app, exported(app));
    const [req, res] = messages.at(-1)!;
    expect(Object.getPrototypeOf(req)).toBe(app.request);
    expect(Object.getPrototypeOf(res)).toBe(app.response);
    expect([isFast(req), isFast(res)]).toEqual([true, true]);
    for (const [otherReq, otherRes] of messages.slice(-5)) {
      expect(haveSameClass(otherReq, req)).toBe(true);
      expect(haveSameClass(otherRes, res)).toBe(true);
    }
  });

  test.each<[string, (app: Express) => unknown]>([
    ['a setter', (app) => Object.defineProperty(app.request, 'socket', { set() {} })],
    ['a property that cannot be assigned', (app) => Object.defineProperty(app.request, 'res', { value: 'mine' })],
    ['a method of node:http', (app) => Object.assign(app.response, { setHeader: needsLocals(app.response.setHeader) })],
    ['a method of events', (app) => Object.assign(app.response, { on: needsLocals(app.response.on) })],
    ['listeners', (app) => void app.request.on('error', () => {})],
    ['a method around `handle`', handlesLater],
    ['a proxy', (app) => Object.assign(app, { request: new Proxy(app.request, { set: swallowsSocket }) })],
  ])('are those of node:http until Express replaces their prototypes, if one has %s', async (_, change) => {
    const app = express();
    change(app);
    for (const [req, res] of await messagesOf(app)) {
      expect(Object.hasOwn(req, 'socket')).toBe(true);
      expect(req.res).toBe(res);
      expect(res.locals).toEqual({});
    }
  });

  test.each<[string, (app: Express) => unknown]>([
    [
      'a function',
      (app) => Object.assign((req: unknown, res: unknown, next: unknown) => calls(app, req, res, next), app),
    ],
    ['a proxy', (app) => new Proxy(app, { apply: (_target, _this, [req, res, next]) => calls(app, req, res, next) })],
    [
      'a function that inherits from it',
      (app) => Object.setPrototypeOf((req: unknown, res: unknown, next: unknown) => calls(app, req, res, next), app),
    ],
  ])('are those of node:http if the app is in %s', async (_, wrap) => {
    const app = express().get('/', (req, res) => void res.json(req.protocol));
    const { ask } = await apps.run(createApp().mount('/', fromNode(wrap(app) as RequestListener)));
    expect((await ask('/')).json()).toBe('gopher');
  });

  test.each<[string, (app: Express) => void, object]>([
    ['`handle` is wrapped', handlesLater, { protocol: 'gopher' }],
    [
      '`setHeader` is replaced',
      (app) => Object.assign(app.response, { setHeader: needsLocals(app.response.setHeader) }),
      { protocol: 'http' },
    ],
    [
      'there are other prototypes',
      (app) => Object.assign(app, { request: Object.create(app.request, { mine: { value: 1 } }) }),
      { protocol: 'http', mine: 1 },
    ],
  ])('are other ones once %s', async (_, change, expected) => {
    const app = express().get('/', (req, res) => {
      res.json({ protocol: req.protocol, mine: (req as { mine?: number }).mine });
    });
    const { ask } = await apps.run(createApp().mount('/', fromNode(app)));
    expect((await ask('/')).json()).toEqual({ protocol: 'http' });
    change(app);
    expect((await ask('/')).json()).toEqual(expected);
  });

  test('are those of node:http once `setHeader` is replaced for all responses', async () => {
    const app = express();
    const { setHeader } = ServerResponse.prototype;
    const prototypes: unknown[] = [];
    ServerResponse.prototype.setHeader = function (...args) {
      prototypes.push(Object.getPrototypeOf(this));
      return setHeader.apply(this, args);
    };
    try {
      await messagesOf(app);
      expect(prototypes[0]).toBe(ServerResponse.prototype);
    } finally {
      ServerResponse.prototype.setHeader = setHeader;
    }
  });

  test('are those of node:http in Express 4, where middleware can be put before the prototypes are set', async () => {
    const app = express4();
    app.use((req, _res, next) => {
      claims(req);
      next();
    });
    const { stack } = (app as Express & { _router: { stack: unknown[] } })._router;
    stack.unshift(stack.pop());
    for (const [req] of await messagesOf(app)) expect(req.protocol).toBe('gopher');
  });

  test.each<[string, (server: Server) => unknown]>([
    ['another listener of requests', (server) => server.prependListener('request', claims)],
    [
      'a listener of checkContinue',
      (server) =>
        server.on('checkContinue', (req, res) => {
          claims(req);
          server.emit('request', req, res);
        }),
    ],
    ['another `emit`', emitsLater],
  ])('are those of node:http if the server has %s', async (_, change) => {
    const server = createServer(express().get('/', (req, res) => void res.json(req.protocol)) as RequestListener);
    const { ask } = await apps.run(createApp().mount('/', fromNode(server)));
    expect((await ask('/')).json()).toBe('http');
    change(server);
    expect((await ask('/', { headers: { expect: '100-continue' } })).json()).toBe('gopher');
  });

  test('are those of node:http if the server gets another listener instead', async () => {
    const server = createServer(express() as RequestListener);
    const { ask } = await apps.run(createApp().mount('/', fromNode(server)));
    expect((await ask('/')).statusCode).toBe(404);
    server.removeAllListeners('request').on('request', (req, res) => {
      res.end(String(Object.getPrototypeOf(req) === IncomingMessage.prototype));
    });
    expect((await ask('/')).body).toBe('true');
  });

  test('are those of node:http for functions whose accessors throw', async () => {
    const throws = {
      get: () => {
        throw new Error('outside of a request');
      },
    };
    const listener: RequestListener = (_req, res) => void res.end('here');
    const strange = Object.defineProperties((req: never, res: never, _next: never) => listener(req, res), {
      request: throws,
      response: throws,
      handle: throws,
    });
    const { ask } = await apps.run(createApp().mount('/', fromNode(strange)));
    expect((await ask('/')).body).toBe('here');
  });

  test('are instances of the classes of node:http, with the same properties', async () => {
    const app = express();
    const [[req, res]] = await messagesOf(app);
    expect(req).toBeInstanceOf(IncomingMessage);
    expect(res).toBeInstanceOf(ServerResponse);
    expect(req.constructor).toBe(IncomingMessage);
    const plain = new IncomingMessage(req.socket);
    expect(Reflect.ownKeys(req)).toEqual(expect.arrayContaining(Reflect.ownKeys(plain)));
    expect(Reflect.ownKeys(res)).toEqual(expect.arrayContaining(Reflect.ownKeys(new ServerResponse(plain))));
    expect(req).not.toHaveProperty('a');
    let stack: string | undefined;
    req.once('traced', () => {
      ({ stack } = new Error('here'));
    });
    req.emit('traced');
    expect(stack).toContain('at IncomingMessage.emit');
  });
});
