import { type AppDefinition, definitionOf } from '../app/definition.js';
import { importModule, pathOf } from '../contract/module-failure.js';
import { LoopShardError } from '../errors.js';

/** @throws LoopShardError MODULE_FAILED, MODULE_WITHOUT_APP, or what a wrong route is refused with */
export async function loadApp(url: string): Promise<AppDefinition> {
  const module = await importModule(url);
  // A CommonJS module's exports come as the default.
  const app =
    definitionOf(module.default) ?? definitionOf((module.default as { default?: unknown } | undefined)?.default);
  if (app !== undefined) return app;
  throw new LoopShardError(
    'MODULE_WITHOUT_APP',
    `${pathOf(url)} has no app as its default export. End it with \`export default app\`, where \`app\` is what \`createApp()\` returned.`,
  );
}
