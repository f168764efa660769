import { createServer, IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { afterAll, describe, expect, test } from '@jest/globals';
import express, { type Express } from 'express';
import { createApp } from 'loopshard';
import { fromNode } from 'loopshard/adapters';
import { Apps } from '../support/apps.js';

setFlagsFromString('--allow-natives-syntax');
const haveSameClass = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: object, b: object) => boolean;
const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean;

const apps = new Apps();
afterAll(apps.close);

/** Sends requests to an app of Express, and returns the messages of each. */
async function messagesOf(app: Express, exported: object = app): Promise<[IncomingMessage, ServerResponse][]> {
  const messages: [IncomingMessage, ServerResponse][] = [];
  app.get('/', (req, res) => {
    messages.push([req, res]);
    res.json({ address: req.socket.remoteAddress });
  });
  const { ask } = await apps.run(createApp().mount('/', fromNode(exported)));
  for (let i = 0; i < 30; i++) expect((await ask('/')).json()).toEqual({ address: '127.0.0.1' });
  return messages;
}

describe('messages of an app of Express', () => {
  test.each([
    ['exported', (app: Express) => app],
    ['in a server', (app: Express) => createServer(app as RequestListener)],
  ])('have a hidden class in common: %s', async (_, exported) => {
    const app = express();
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

  test('are those of node:http if a prototype has a setter for one of their properties, or forbids to assign it', async () => {
    for (const descriptor of [{ set() {} }, { value: 'mine', writable: false }]) {
      const app = express();
      Object.defineProperty(app.request, 'socket', descriptor);
      const [[req]] = await messagesOf(app);
      expect(Object.hasOwn(req, 'socket')).toBe(true);
    }
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
  });
});
