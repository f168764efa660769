import { inspect } from 'node:util';
import { type App, addRaw, createApp, type ScopeOptions } from '../app/app.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { ROUTE_SCHEDULING } from '../options/scheduling.js';
import { kindOf, type NodeKind, ofListener } from './node/kinds.js';
import { type Listening, NodeRunner } from './node/runner.js';
import { closeServers } from './node/upgrades.js';
import { isClass, wrongApp } from './wrong-app.js';

/** An app of Express, Koa, Fastify, Nest or Connect, an `http.Server`, or a function `(req, res)`. */
export type NodeApp = object | ((...args: never[]) => unknown);

/** Options of `fromNode`. They apply to all requests of the app. */
export type NodeOptions = Omit<ScopeOptions, 'compress'>;

const OPTIONS: readonly string[] = [...ROUTE_SCHEDULING, 'maxBodyBytes'];

/**
 * Makes an app of LoopShard of an app for node:http: a module can export it, and `app.mount()` can add it below a prefix, which the Node
 * app does not see in `req.url`. The Node app gets requests of every method, except those for which other routes match better, and its
 * responses are sent as it writes them.
 * @param options `maxBodyBytes` defaults to `Infinity`: the app limits bodies itself
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, ROUTE_INVALID
 */
export function fromNode(nodeApp: NodeApp, options: NodeOptions = {}): App {
  const kind = kindFor(nodeApp);
  if (typeof options !== 'object' || options === null) {
    throw new LoopShardError('OPTION_INVALID', `\`fromNode()\` expects options as an object, got ${inspect(options)}.`);
  }
  checkOptionNames(options, OPTIONS, '`fromNode()`');
  return appOfKind(kind, options);
}

/** Makes an app of a Node app that was recognized. */
export function appOfKind(kind: NodeKind, options: NodeOptions = {}, listening: Listening = () => []): App {
  const runner = new NodeRunner(listening);
  const app = createApp();
  app.onStart(async () => {
    runner.listener = await kind.start();
  });
  app.onClose(() => {
    if (kind.close === undefined) closeServers(runner.servers);
    else return kind.close();
  });
  addRaw(app, options, runner.handlerAt(''));
  return app;
}

function kindFor(app: unknown): NodeKind {
  const kind = kindOf(app);
  if (kind !== undefined) return kind;
  if (typeof app === 'function' && !isClass(app as never)) return ofListener(app as never);
  const expected = 'an app of Express, Koa, Fastify, Nest or Connect, an `http.Server`, or a function `(req, res)`';
  throw wrongApp('fromNode()', expected, app);
}
