/*
 * Writes the API reference from the types that users install: `npm run docs:reference`. Fails if an export, or a member of one, has no
 * docstring.
 */
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Application, ReflectionKind } from 'typedoc';

/** @import { Reflection } from 'typedoc' */

const root = fileURLToPath(new URL('../../', import.meta.url));
const out = process.argv[2] ?? `${root}docs/reference`;

/** What users can import. */
const ENTRIES = ['index', 'adapters/index', 'core/index', 'json/index', 'testing/index'];
/** Its members are keywords of JSON Schema, which the standard describes. */
const JSON_SCHEMA = 'JsonSchemaObject';
const DOCUMENTED =
  ReflectionKind.SomeType |
  ReflectionKind.Variable |
  ReflectionKind.Property |
  ReflectionKind.Accessor |
  ReflectionKind.CallSignature;

/** Options of typedoc-plugin-markdown. */
const MARKDOWN = {
  router: 'module',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  parametersFormat: 'list',
  useCodeBlocks: true,
  // Headings alone are not enough: `LoopShardError.code` would take the anchor of `LoopShardErrorCode`.
  useHTMLAnchors: true,
};

const app = await Application.bootstrapWithPlugins({
  name: 'Reference',
  out,
  entryPoints: ENTRIES.map((name) => `${root}build/src/${name}.d.ts`),
  tsconfig: fileURLToPath(new URL('./tsconfig.json', import.meta.url)),
  // The compiler of the repository has checked them.
  skipErrorChecking: true,
  plugin: ['typedoc-plugin-markdown'],
  readme: 'none',
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  ...MARKDOWN,
  // Types that are not exported are those of signatures.
  validation: { notExported: false, invalidLink: true, notDocumented: false },
  treatWarningsAsErrors: true,
  logLevel: 'Warn',
});
const project = await app.convert();
if (project === undefined) throw new Error('TypeDoc cannot read the types. Run `npm run build` first.');
app.validate(project);
const missing = project
  .getReflectionsByKind(DOCUMENTED)
  .filter((reflection) => !isDocumented(reflection) && !isPart(reflection));
for (const reflection of missing) console.error(`${reflection.getFullName()} has no docstring.`);
await rm(out, { recursive: true, force: true });
await app.generateOutputs(project);
if (missing.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;

/** @param {Reflection} reflection */
function isDocumented(reflection) {
  if (reflection.hasComment()) return true;
  if (reflection.isSignature()) return reflection.parent.hasComment();
  if (!reflection.isDeclaration()) return true;
  const { signatures = [], getSignature, type } = reflection;
  const inside = type?.type === 'reflection' ? (type.declaration.signatures ?? []) : [];
  return [...signatures, ...inside, ...(getSignature ? [getSignature] : [])].some((one) => one.hasComment());
}

/** Whether the docstring of an outer reflection describes this one. @param {Reflection} reflection */
function isPart(reflection) {
  for (let at = /** @type {Reflection | undefined} */ (reflection); at !== undefined; at = at.parent) {
    if (at !== reflection && at.name === JSON_SCHEMA) return true;
    if (at.name === '__type') return true;
  }
  return false;
}
