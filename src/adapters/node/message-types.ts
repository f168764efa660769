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
/** The source of an app of Express. A function around it would see the messages first. */
const OWN_SOURCE = /^function ?\((\w+), ?(\w+), ?(\w+)\) ?\{\s*\w+\.handle\(\1, ?\2, ?\3\);?\s*\}$/;
/** In the source of the method `handle` of Express 5. In Express 4, middleware may run before the prototypes are set. */
const OWN_HANDLE = /\.setPrototypeOf\(\w+, ?this\.request\)/;
/** What is assigned before Express sets the prototypes: by Express itself, and by mounting the app. */
const ASSIGNED = ['req', 'res', 'originalUrl', 'baseUrl'];
/** What Express calls before that. */
const { setHeader } = ServerResponse.prototype;
const sourceOf = Function.prototype.toString;

/** An app of Express, as it is defined. */
interface ExpressApp {
  handle(): void;
  request: IncomingMessage;
  response: ServerResponse;
}

/** What the types of an app depend on. */
interface Known extends Partial<ExpressApp> {
  types: MessageTypes;
}

const PLAIN: Known = { types: PLAIN_TYPES };
const KNOWN = new WeakMap<object, Known>();

/**
 * Returns types for the next message of a listener. If it is an app of Express 5, they have the prototypes that the app gives its messages,
 * unless the app has changed anything that is used before Express sets them, such as `setHeader`.
 */
export function messageTypesOf(listener: unknown): MessageTypes {
  if (typeof listener !== 'function') return PLAIN_TYPES;
  let known = KNOWN.get(listener);
  if (known === undefined || (known !== PLAIN && hasChanged(listener as unknown as ExpressApp, known))) {
    known = examine(listener);
    KNOWN.set(listener, known);
  }
  return known.types;
}

function hasChanged(app: ExpressApp, { handle, request, response }: Known): boolean {
  const isSame = app.handle === handle && app.request === request && app.response === response;
  return !isSame || app.response.setHeader !== setHeader;
}

function examine(listener: object): Known {
  try {
    return isExpress(listener) ? typesOf(listener) : PLAIN;
  } catch {
    // Accessors of the function throw, or node:http has made classes of its constructors.
    return PLAIN;
  }
}

function isExpress(listener: object): listener is ExpressApp {
  if (types.isProxy(listener) || !OWN_SOURCE.test(sourceOf.call(listener))) return false;
  if (!['handle', 'request', 'response'].every((key) => Object.hasOwn(listener, key))) return false;
  const { handle, request, response } = listener as ExpressApp;
  return (
    OWN_HANDLE.test(sourceOf.call(handle)) && request instanceof IncomingMessage && response instanceof ServerResponse
  );
}

function typesOf({ handle, request, response }: ExpressApp): Known {
  const plainRequest = new PLAIN_TYPES.Request({});
  const plainResponse = new PLAIN_TYPES.Response(plainRequest, {});
  if (!isInert(request, plainRequest) || !isInert(response, plainResponse)) return PLAIN;
  // Replaced for all responses of the process.
  if (response.setHeader !== setHeader) return PLAIN;
  const { Request, Response } = {
    Request: typeWith(request, IncomingMessage),
    Response: typeWith(response, ServerResponse),
  } as unknown as MessageTypes;
  new Response(new Request({}), {});
  return { handle, request, response, types: { Request, Response } };
}

/** Whether the prototype adds nothing to a message of node:http that the message has, or that is assigned to it. */
function isInert(prototype: object, plain: object): boolean {
  const names = new Set<PropertyKey>(ASSIGNED);
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
  return Object.assign(initializing(original as Initialize), { prototype });
}

/** Creates a constructor without a name, so that stack traces have that of the constructor which its prototype names. */
function initializing(initialize: Initialize) {
  return function (this: Record<string, unknown>, first: unknown, second: unknown) {
    initialize.call(this, first, second);
    if (first !== NEVER) return;
    // V8 reserves room for as many properties as a constructor seems to assign. Without it, messages would become dictionaries.
    // biome-ignore format: a line for each property says no more
    this.a = this.b = this.c = this.d = this.e = this.f = this.g = this.h = this.i = this.j = this.k = this.l = this.m =
    this.n = this.o = this.p = this.q = this.r = this.s = this.t = this.u = this.v = this.w = this.x = this.y = this.z = NEVER;
  };
}
