/*
 * Constructors of the messages that an app gets. Express gives each message a prototype of its own. Up to Node.js 22, V8 gives a message
 * whose prototype was replaced a hidden class that no other one has, once a property is added. Code that remembers hidden classes never
 * meets one again, and old garbage keeps new garbage alive: a request takes four times as much CPU time (docs/internals.md). So messages
 * for Express have its prototypes from the beginning, if nothing can notice that before Express itself replaces them. Shard only.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { types } from 'node:util';
import type { NodeRequest, RequestType } from '../../app/upgrades/incoming-message.js';
import type { NodeResponse } from './messages.js';

/** @internal */
export interface MessageTypes {
  readonly Request: RequestType;
  readonly Response: new (request: NodeRequest, options: object) => NodeResponse;
}

/** Those of node:http. */
export const PLAIN_TYPES = { Request: IncomingMessage, Response: ServerResponse } as unknown as MessageTypes;

/** A constructor, called as a function. */
type Initialize = (this: object, ...args: unknown[]) => void;

const NEVER: unknown = Symbol('never');
const EXPRESS_PARAMETERS = 3;
/** In the source of the method `handle` of Express 5 and 4. A method around it would see the messages before Express. */
const OWN_HANDLE = /\.setPrototypeOf\(\w+, ?this\.request\)|\bfinalhandler\(/;
/** What Express assigns before it replaces prototypes. Express 4, which has `lazyrouter`, also assigns `query`. */
const ASSIGNED = ['req', 'res', 'next', 'params', 'baseUrl', 'originalUrl', '_parsedUrl', 'route'];

/**
 * Returns types with the prototypes that the app gives its messages, if it is one of Express. They are those of node:http if the app has
 * changed anything in its prototypes that is used before Express sets them, such as `setHeader`.
 */
export function messageTypesOf(app: unknown): MessageTypes {
  try {
    return typeof app === 'function' && app.length === EXPRESS_PARAMETERS
      ? (typesFor(app) ?? PLAIN_TYPES)
      : PLAIN_TYPES;
  } catch {
    // The app has accessors that throw.
    return PLAIN_TYPES;
  }
}

function typesFor(app: object): MessageTypes | undefined {
  if (!('request' in app && 'response' in app && 'handle' in app)) return undefined;
  const { request, response, handle } = app;
  if (!OWN_HANDLE.test(Function.prototype.toString.call(handle))) return undefined;
  if (!(request instanceof IncomingMessage && response instanceof ServerResponse)) return undefined;
  const assigned = 'lazyrouter' in app ? [...ASSIGNED, 'query'] : ASSIGNED;
  const plainRequest = new PLAIN_TYPES.Request({});
  const plainResponse = new PLAIN_TYPES.Response(plainRequest, {});
  if (!isInert(request, plainRequest, assigned) || !isInert(response, plainResponse, assigned)) return undefined;
  const own = { Request: typeWith(request, IncomingMessage), Response: typeWith(response, ServerResponse) };
  const { Request, Response } = own as unknown as MessageTypes;
  // Throws if node:http makes classes of its constructors.
  new Response(new Request({}), {});
  return { Request, Response };
}

/** Whether the prototype adds nothing to a message of node:http that the message has, or that is assigned to it. */
function isInert(prototype: object, plain: object, assigned: readonly string[]): boolean {
  const names = new Set<PropertyKey>(assigned);
  for (const object of chainOf(plain)) for (const key of Reflect.ownKeys(object)) names.add(key);
  const original = Object.getPrototypeOf(plain);
  for (const object of chainOf(prototype)) {
    if (object === original) return true;
    if (types.isProxy(object) || Reflect.ownKeys(object).some((key) => names.has(key))) return false;
  }
  return false;
}

/** An object and its prototypes. */
function* chainOf(object: object): Generator<object> {
  for (let next: object | null = object; next !== null; next = Object.getPrototypeOf(next)) yield next;
}

function typeWith(prototype: object, original: unknown): unknown {
  const initialize = original as Initialize;
  function Message(this: Record<string, unknown>, first: unknown, second: unknown) {
    initialize.call(this, first, second);
    if (first !== NEVER) return;
    // V8 reserves room in an object for as many properties as its constructor seems to assign. Without it, messages would become dictionaries.
    // biome-ignore format: a line for each property says no more
    this.a = this.b = this.c = this.d = this.e = this.f = this.g = this.h = this.i = this.j = this.k = this.l = this.m =
    this.n = this.o = this.p = this.q = this.r = this.s = this.t = this.u = this.v = this.w = this.x = this.y = this.z = NEVER;
  }
  Message.prototype = prototype;
  return Message;
}
