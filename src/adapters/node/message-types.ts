/*
 * Constructors of the messages that an app gets. Express gives each message a prototype of its own. Up to Node.js 22, V8 gives a message
 * whose prototype was replaced a hidden class that no other one has, once a property is added. Code that remembers hidden classes never
 * meets one again, and old garbage keeps new garbage alive: a request takes four times as much CPU time (docs/internals.md). So the messages
 * of an app that says which prototypes it gives them have these from the beginning. Shard only.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
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

/**
 * Returns types with the prototypes that the app has in `request` and `response`, if it is one of Express; otherwise those of node:http.
 */
export function messageTypesOf(app: object): MessageTypes {
  if (!('request' in app && 'response' in app)) return PLAIN_TYPES;
  const { request, response } = app;
  if (!(request instanceof IncomingMessage && response instanceof ServerResponse)) return PLAIN_TYPES;
  const types = { Request: typeWith(request, IncomingMessage), Response: typeWith(response, ServerResponse) };
  return haveSameProperties(types as unknown as MessageTypes) ? (types as unknown as MessageTypes) : PLAIN_TYPES;
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

/** Whether the constructors assign the same properties as those of node:http: a prototype may have setters, or forbid to assign them. */
function haveSameProperties(types: MessageTypes): boolean {
  try {
    return isDeepStrictEqual(properties(types), properties(PLAIN_TYPES));
  } catch {
    return false;
  }
}

function properties({ Request, Response }: MessageTypes): PropertyKey[][] {
  const request = new Request({});
  return [Reflect.ownKeys(request), Reflect.ownKeys(new Response(request, {}))];
}
