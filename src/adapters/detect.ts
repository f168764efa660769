import type { App } from '../app/app.js';
import { type AppDefinition, definitionOf } from '../app/definition.js';
import type { UpgradeHandler } from '../app/upgrades/upgrade-handler.js';
import { type FetchApp, fromFetch } from './from-fetch.js';
import { appOfKind } from './from-node.js';
import type { NodeServer } from './node/http-server.js';
import { kindOf, ofListener } from './node/kinds.js';
import type { Listening } from './node/runner.js';
import { closeServers, emitUpgrade } from './node/upgrades.js';
import { isClass } from './wrong-app.js';

/**
 * Makes an app of what a module exports, by its kind, in this order: an app of LoopShard; an `http.Server`; an app of Nest, Fastify, Koa,
 * Express or Connect; an app with a method `fetch`; a function with one parameter, from `Request` to `Response`, or with two, `(req, res)`.
 * Properties are looked up with `in`, because some apps are proxies that have every property.
 * @param listening returns the servers that the module has told to listen: their listeners may take over connections
 * @returns `undefined` if the value is none of them, or might be several
 */
export function appOf(value: unknown, listening: Listening = () => []): AppDefinition | undefined {
  const own = definitionOf(value);
  if (own !== undefined) return own;
  const kind = kindOf(value);
  if (kind !== undefined) return definitionOf(appOfKind(kind, {}, listening));
  if (isFetchApp(value)) return definitionOf(withUpgrades(fromFetch(value), listening()));
  if (typeof value !== 'function' || value.length !== 2 || isClass(value as never)) return undefined;
  return definitionOf(appOfKind(ofListener(value as never), {}, listening));
}

/** Adds the upgrades of a server that the module has told to listen, as `serve()` of `@hono/node-server` does. */
function withUpgrades(app: App, servers: readonly NodeServer[]): App {
  const server = servers.find((one) => one.listenerCount('upgrade') > 0);
  if (server === undefined) return app;
  const handler: UpgradeHandler = (request, socket, head) => emitUpgrade(server, request, socket, head);
  app.onClose(() => closeServers(servers));
  return app.upgrade('/', handler).upgrade('/*', handler);
}

function isFetchApp(value: unknown): value is FetchApp {
  if (typeof value === 'function') return 'fetch' in value || (value.length === 1 && !isClass(value as never));
  return typeof value === 'object' && value !== null && 'fetch' in value;
}

/** Whether the value is an app, and not only might be one. */
export function isApp(value: unknown): boolean {
  if (definitionOf(value) !== undefined || kindOf(value) !== undefined) return true;
  return typeof value === 'object' && value !== null && 'fetch' in value;
}

/** Advice for a function that `appOf` does not recognize. */
export function adviceForFunction(exported: (...args: never[]) => unknown): string {
  const { length, name } = exported;
  if (isClass(exported)) return `It exports the class \`${name}\`: export an instance of it.`;
  const what = length === 0 ? 'without parameters' : `with ${length} parameters`;
  const call = length === 0 ? ' If it returns an app, call it, and export that app.' : '';
  return `It exports a function ${what}.${call} If it handles requests, say how: \`export default fromFetch(…)\` if it returns a \`Response\`, or \`fromNode(…)\` if it takes the request and response of Node.js. Both are exports of \`loopshard/adapters\`.`;
}
