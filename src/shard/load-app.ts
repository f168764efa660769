import { types } from 'node:util';
import type { CaughtListens } from '../adapters/node/listening.js';
import { type AppDefinition, definitionOf } from '../app/definition.js';
import { importModule, pathOf } from '../contract/module-failure.js';
import { LoopShardError } from '../errors.js';

/**
 * Loads the app that a module exports, or the server that it has told to listen.
 * @param listens if calls of `listen()` are caught; they go on being caught if the app is one of another framework
 * @throws LoopShardError MODULE_FAILED, MODULE_WITHOUT_APP, or the error of an invalid route
 */
export async function loadApp(url: string, listens?: CaughtListens): Promise<AppDefinition> {
  const module = await importModule(url);
  // The default export of a CommonJS module is its `exports` object.
  const candidates = [module.default, defaultOf(module.default)];
  const app = firstOf(candidates, definitionOf) ?? (await foreignApp(candidates, listens));
  if (app?.isForeign === false) listens?.release();
  if (app !== undefined) return app;
  const server = await listens?.server(Object.keys(module).length === 0);
  const served = server === undefined ? undefined : await foreignApp([server]);
  if (served !== undefined) return served;
  throw new LoopShardError(
    'MODULE_WITHOUT_APP',
    `${pathOf(url)} has no app as its default export. ${await adviceFor(module)}`,
  );
}

/** Returns an app of another framework. The adapters are loaded only if a module has one. */
async function foreignApp(candidates: readonly unknown[], listens?: CaughtListens): Promise<AppDefinition | undefined> {
  const { appOf } = await import('../adapters/detect.js');
  return firstOf(candidates, (value) => appOf(value, () => listens?.servers ?? []));
}

/** Returns the property `default` of what a CommonJS module exports, if it has one. */
function defaultOf(exported: unknown): unknown {
  if (typeof exported !== 'object' || exported === null || !('default' in exported)) return undefined;
  return exported.default;
}

function firstOf<T>(candidates: readonly unknown[], find: (value: unknown) => T | undefined): T | undefined {
  for (const candidate of candidates) {
    const found = find(candidate);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Advice for a module without an app. */
async function adviceFor(module: object): Promise<string> {
  const named = Object.entries(module).find(([, value]) => definitionOf(value) !== undefined)?.[0];
  if (named !== undefined) return `It exports one as \`${named}\`: write \`export default ${named}\`.`;
  const given = (module as { default?: unknown }).default;
  if (typeof given === 'function') {
    const { adviceForFunction } = await import('../adapters/detect.js');
    return adviceForFunction(given as (...args: never[]) => unknown);
  }
  if (types.isPromise(given)) return 'It exports a promise: write `export default await …`.';
  return 'End it with `export default app`, where `app` is what `createApp()` returned.';
}
