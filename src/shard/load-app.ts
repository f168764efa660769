import { types } from 'node:util';
import type { CaughtListens } from '../adapters/node/listening.js';
import { type AppDefinition, definitionOf } from '../app/definition.js';
import { importModule, pathOf } from '../contract/module-failure.js';
import { LoopShardError } from '../errors.js';

const COMBINE = "To serve several, combine them: `createApp().mount('/a', a).mount('/b', b)`.";

/**
 * Imports the modules that run before the app's.
 * @param urls in their order
 * @throws LoopShardError MODULE_FAILED
 */
export async function preload(urls: readonly string[]): Promise<void> {
  for (const url of urls) await importModule(url);
}

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
  const server = await listens?.server(exportsNothing(module));
  const served = server === undefined ? undefined : await foreignApp([server]);
  if (served !== undefined) return served;
  const advice = await adviceFor(module);
  throw new LoopShardError('MODULE_WITHOUT_APP', `${pathOf(url)} has no app as its default export. ${advice}`);
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

/** Whether a module exports nothing. A CommonJS module without exports has an empty object as its default export. */
function exportsNothing(module: object): boolean {
  return Object.entries(module).every(([name, value]) => name === '__esModule' || isEmptyObject(value));
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
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
  const { adviceForFunction, isApp } = await import('../adapters/detect.js');
  const namesOfApps = (exported: object) =>
    Object.keys(exported).filter((name) => isApp(exported[name as keyof object]));
  const named = namesOfApps(module);
  const given = (module as { default?: unknown }).default;
  // In CommonJS, names are those of the exported object.
  const isCommonJs = (given as Record<string, unknown> | undefined)?.[named[0]] !== undefined;
  if (named.length > 0) return adviceForNames(named, 'It exports', isCommonJs ? 'module.exports =' : 'export default');
  if (typeof given === 'function') return adviceForFunction(given as (...args: never[]) => unknown);
  if (types.isPromise(given)) return 'It exports a promise: write `export default await …`.';
  if (typeof given === 'object' && given !== null) {
    const inside = namesOfApps(given);
    if (Array.isArray(given) && inside.length > 0) return `It exports an array: export one app. ${COMBINE}`;
    if (inside.length > 0) return adviceForNames(inside, 'It exports an object with', 'export default');
  }
  return 'End it with `export default app`, where `app` is what `createApp()` returned, or an app of another framework.';
}

/** @param names of apps, at least one */
function adviceForNames(names: readonly string[], begin: string, write: string): string {
  const [first] = names;
  if (names.length === 1) return `${begin} one as \`${first}\`: write \`${write} ${first}\`.`;
  const all = names.map((name) => `\`${name}\``).join(', ');
  return `${begin} several: ${all}. Write \`${write} ${first}\` to serve that one. ${COMBINE}`;
}
