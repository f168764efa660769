import type { EventEmitter } from 'node:events';
import { HttpError } from '../../errors.js';
import { isHttpServer } from './http-server.js';
import type { LeanSocket } from './lean-socket.js';
import type { NodeRequest, NodeResponse } from './messages.js';

/** Handles a request of node:http. A promise that it returns may reject. */
export interface NodeListener {
  call(request: NodeRequest, response: NodeResponse): unknown;
}

/** A Node app, as shards run it. */
export interface NodeKind {
  /** Called when the shard starts. */
  start(): NodeListener | Promise<NodeListener>;
  /** Called when the shard ends. */
  close?(): unknown;
}

type Listener = (request: unknown, response: unknown, next?: (error?: unknown) => void) => unknown;

interface Nest {
  init(): Promise<unknown>;
  close(): Promise<unknown>;
  getHttpAdapter(): { getInstance(): unknown };
}
interface Fastify {
  ready(): PromiseLike<unknown>;
  close(): PromiseLike<unknown>;
  routing: Listener;
}
interface Koa {
  callback(): Listener;
}

/**
 * Recognizes apps of node:http and frameworks for it. Properties are looked up with `in`, because some apps of other kinds are proxies
 * that have every property.
 * @returns `undefined` for anything else, also for a function that does not show its framework
 */
export function kindOf(value: unknown): NodeKind | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  if (isHttpServer(value)) return ofServer(value);
  if ('getHttpAdapter' in value && 'init' in value) return ofNest(value as unknown as Nest);
  if ('routing' in value && 'ready' in value) return ofFastify(value as unknown as Fastify);
  if ('callback' in value && 'middleware' in value) return ofKoa(value as unknown as Koa);
  // Apps of Express and Connect, and their routers, which do not listen and leave errors to others.
  if (typeof value === 'function' && 'handle' in value && 'use' in value) {
    return ofListener(value as unknown as Listener, 'listen' in value);
  }
  return undefined;
}

/** @param hasOwnErrors it never throws and never returns a promise that rejects */
export function ofListener(listener: Listener, hasOwnErrors = false): NodeKind {
  if (hasOwnErrors) return { start: () => ({ call: (request, response) => void listener(request, response) }) };
  const call: NodeListener['call'] = (request, response) =>
    listener(request, response, (error?: unknown) => {
      const socket = response.socket as LeanSocket | null;
      socket?.fail(error ?? new HttpError(404, 'No route matches this path.'));
    });
  return { start: () => ({ call: listener.length < 3 ? (request, response) => listener(request, response) : call }) };
}

function ofServer(server: EventEmitter): NodeKind {
  const call: NodeListener['call'] = (request, response) => {
    (request.socket as unknown as LeanSocket).server = server;
    const expects = request.headers.expect !== undefined && server.listenerCount('checkContinue') > 0;
    response._expect_continue = expects;
    server.emit(expects ? 'checkContinue' : 'request', request, response);
  };
  return { start: () => ({ call }) };
}

function ofNest(nest: Nest): NodeKind {
  return {
    async start() {
      await nest.init();
      const kind = kindOf(nest.getHttpAdapter().getInstance());
      if (kind === undefined) throw new TypeError('The HTTP adapter of the Nest app is neither Express nor Fastify.');
      return kind.start();
    },
    close: () => nest.close(),
  };
}

function ofFastify(fastify: Fastify): NodeKind {
  return {
    async start() {
      await fastify.ready();
      const { routing } = fastify;
      return { call: (request, response) => void routing(request, response) };
    },
    close: () => fastify.close(),
  };
}

function ofKoa(koa: Koa): NodeKind {
  return {
    start() {
      const callback = koa.callback();
      return { call: (request, response) => void callback(request, response) };
    },
  };
}
