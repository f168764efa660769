import { types } from 'node:util';
import { type AppDefinition, definitionOf } from '../app/definition.js';
import { importModule, pathOf } from '../contract/module-failure.js';
import { LoopShardError } from '../errors.js';

/** @throws LoopShardError MODULE_FAILED, MODULE_WITHOUT_APP, or the error of an invalid route */
export async function loadApp(url: string): Promise<AppDefinition> {
  const module = await importModule(url);
  // The default export of a CommonJS module is its `exports` object.
  const app =
    definitionOf(module.default) ?? definitionOf((module.default as { default?: unknown } | undefined)?.default);
  if (app !== undefined) return app;
  throw new LoopShardError(
    'MODULE_WITHOUT_APP',
    `${pathOf(url)} has no app as its default export. ${adviceFor(module)}`,
  );
}

/** Advice for a module without an app. */
function adviceFor(module: object): string {
  const named = Object.entries(module).find(([, value]) => definitionOf(value) !== undefined)?.[0];
  if (named !== undefined) return `It exports one as \`${named}\`: write \`export default ${named}\`.`;
  const given = (module as { default?: unknown }).default;
  if (typeof given === 'function') return 'It exports a function: call it, and export the app that it returns.';
  if (types.isPromise(given)) return 'It exports a promise: write `export default await …`.';
  return 'End it with `export default app`, where `app` is what `createApp()` returned.';
}
