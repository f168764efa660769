import { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import type { NodeRequest } from '../../app/upgrades/incoming-message.js';
import { HttpError } from '../../errors.js';
import { isHttpServer, type NodeServer } from './http-server.js';
import type { LeanSocket } from './lean-socket.js';
import { type MessageTypes, messageTypesOf, PLAIN_TYPES } from './message-types.js';
import type { NodeResponse } from './messages.js';

/** Handles a request of node:http. A promise that it returns may reject. */
export interface NodeListener {
  /** Servers of the app: their listeners of `upgrade` may take over connections, and the first one's `timeout` is that of sockets. */
  readonly servers: readonly NodeServer[];
  /** Types for its next request. */
  types(): MessageTypes;
  call(request: NodeRequest, response: NodeResponse): unknown;
}

/** A Node app, as shards run it. */
export interface NodeKind {
  /** Called when the shard starts. */
  start(): NodeListener | Promise<NodeListener>;
  /** Called when the shard ends. Without it, the servers are closed. */
  close?(): unknown;
}

/** Instrumentation replaces that of servers. */
const { emit } = EventEmitter.prototype;

type Listener = (request: unknown, response: unknown, next?: (error?: unknown) => void) => unknown;

interface Nest {
  init(): Promise<unknown>;
  close(): Promise<unknown>;
  getHttpAdapter(): { getInstance(): unknown };
  getHttpServer(): NodeServer;
}
interface Fastify {
  ready(): PromiseLike<unknown>;
  close(): PromiseLike<unknown>;
  routing: Listener;
  readonly server: NodeServer;
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
  const servers: readonly NodeServer[] = [];
  const start = (call: NodeListener['call']) => () => ({ servers, types: () => messageTypesOf(listener), call });
  if (hasOwnErrors) return { start: start((request, response) => void listener(request, response)) };
  const call: NodeListener['call'] = (request, response) =>
    listener(request, response, (error?: unknown) => {
      const socket = response.socket as LeanSocket | null;
      socket?.fail(error ?? new HttpError(404, 'No route matches this path.'));
    });
  const callPlainly: NodeListener['call'] = (request, response) => listener(request, response);
  return { start: start(listener.length < 3 ? callPlainly : call) };
}

function ofServer(server: Server): NodeKind {
  const call: NodeListener['call'] = (request, response) => {
    const expects = request.headers.expect !== undefined && server.listenerCount('checkContinue') > 0;
    response._expect_continue = expects;
    server.emit(expects ? 'checkContinue' : 'request', request, response);
  };
  return { start: () => ({ servers: [server], types: () => messageTypesOf(onlyListenerOf(server)), call }) };
}

/** The listener that gets all requests of the server, if no other code gets them first. */
function onlyListenerOf(server: Server): unknown {
  const isOnly =
    server.listenerCount('request') === 1 && server.listenerCount('checkContinue') === 0 && server.emit === emit;
  return isOnly ? server.rawListeners('request')[0] : undefined;
}

function ofNest(nest: Nest): NodeKind {
  return {
    async start() {
      await nest.init();
      const kind = kindOf(nest.getHttpAdapter().getInstance());
      if (kind === undefined) throw new TypeError('The HTTP adapter of the Nest app is neither Express nor Fastify.');
      const listener = await kind.start();
      return { ...listener, servers: [nest.getHttpServer()] };
    },
    close: () => nest.close(),
  };
}

function ofFastify(fastify: Fastify): NodeKind {
  return {
    async start() {
      await fastify.ready();
      const { routing } = fastify;
      const call: NodeListener['call'] = (request, response) => void routing(request, response);
      return { servers: [fastify.server], types: () => PLAIN_TYPES, call };
    },
    close: () => fastify.close(),
  };
}

function ofKoa(koa: Koa): NodeKind {
  return {
    start() {
      const callback = koa.callback();
      const call: NodeListener['call'] = (request, response) => void callback(request, response);
      return { servers: [], types: () => PLAIN_TYPES, call };
    },
  };
}
