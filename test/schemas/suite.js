import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { compileWriter } from 'loopshard/json';
import { Evaluated, publish } from './evaluated.js';
import { readJson } from './packages.js';

/** The drafts, by their folder in the suite. */
const DRAFTS = {
  draft7: 'http://json-schema.org/draft-07/schema#',
  'draft2019-09': 'https://json-schema.org/draft/2019-09/schema',
  'draft2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

/** A property that no schema of the suite has, and candidate values for it. */
const UNLISTED = 'unlisted, by the test';
const UNLISTED_VALUES = ['text', 1, { inner: [null] }, null, true, [[]]];

/** @param {string} folder @returns {string[]} */
const jsonFiles = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'));

/** Documents of one draft, or of all. @param {[string, unknown]} document */
const isOfDrafts = ([uri]) => !/localhost:1234\/(draft3|draft-next|v1)\//.test(uri);

/** The documents that the suite refers to: its own, and the meta-schemas bundled with ajv. @param {string} suite */
function documents(suite) {
  /** @type {Record<string, unknown>[]} */
  const [remotes, metaSchemas] = [{}, {}];
  for (const path of jsonFiles(join(suite, 'remotes')))
    remotes[`http://localhost:1234/${path}`] = readJson(join(suite, 'remotes', path));
  const folder = join(dirname(createRequire(import.meta.url).resolve('ajv')), 'refs');
  for (const path of jsonFiles(folder)) {
    const schema = readJson(join(folder, path));
    if (schema.$id?.includes('json-schema.org')) metaSchemas[schema.$id.replace(/#$/, '')] = schema;
  }
  return { remotes, metaSchemas };
}

/**
 * Writes every valid instance of the JSON-Schema-Test-Suite in both lanes. With `unlisted: 'write'` it must come back whole;
 * with 'omit' it must lose exactly the properties that no applicable subschema names. The same holds for the instance with one more
 * property in each of its objects, if that is valid.
 * @param {string} suite
 * @returns {Promise<number>} the number of instances for which that does not hold
 */
export async function runSuite(suite) {
  const { remotes, metaSchemas } = documents(suite);
  const schemas = { ...remotes, ...metaSchemas };
  let faults = 0;
  console.log(
    '| JSON-Schema-Test-Suite | valid instances | written whole | rejected | wrong | checked with omit | of these, shortened | checked with one more property | of these, shortened |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const [draft, $schema] of Object.entries(DRAFTS)) {
    const count = { valid: 0, whole: 0, refused: 0, wrong: 0, judged: 0, losing: 0, added: 0, addedLosing: 0 };
    const folder = join(suite, 'tests', draft);
    publish(Object.fromEntries(Object.entries(remotes).filter(isOfDrafts)), $schema);
    for (const file of readdirSync(folder).filter((path) => path.endsWith('.json'))) {
      for (const { schema, tests, description } of readJson(join(folder, file))) {
        const dated = typeof schema === 'object' ? { $schema, ...schema } : schema;
        const where = `${draft} ${file}, ${description}`;
        const evaluated = await evaluatedOf(dated, $schema, where);
        for (const { data } of tests.filter((/** @type {any} */ test) => test.valid)) {
          count.valid++;
          const kept = evaluated?.keep(data);
          if (kept !== undefined) count.judged++;
          else if (evaluated) console.error(`${where}: @hyperjump/json-schema finds ${JSON.stringify(data)} invalid`);
          if (kept && !isDeepStrictEqual(kept.rest, data)) count.losing++;
          const outcome = write(dated, data, schemas, kept);
          count[outcome.kind]++;
          if (outcome.kind !== 'whole') console.error(`${where}: ${outcome.message}`);
          const more = evaluated && withMore(data, evaluated);
          if (more === undefined) continue;
          count.added++;
          if (!isDeepStrictEqual(more.kept.rest, more.data)) count.addedLosing++;
          const { kind, message } = write(dated, more.data, schemas, more.kept);
          if (kind === 'whole') continue;
          count.wrong++;
          console.error(`${where}, with one more property: ${message}`);
        }
      }
    }
    faults += count.wrong;
    console.log(`| ${[draft, ...Object.values(count)].join(' | ')} |`);
  }
  console.log('');
  return faults;
}

/** @param {any} schema @param {string} dialect @param {string} where */
async function evaluatedOf(schema, dialect, where) {
  try {
    return await Evaluated.of(schema, dialect);
  } catch (error) {
    console.error(`${where}: @hyperjump/json-schema cannot compile it: ${/** @type {Error} */ (error).message}`);
    return undefined;
  }
}

/**
 * Adds one property to each object of the value, if the schema allows it.
 * @param {any} data
 * @param {Evaluated} evaluated
 */
function withMore(data, evaluated) {
  for (const value of UNLISTED_VALUES) {
    const more = added(data, value);
    const kept = isDeepStrictEqual(more, data) ? undefined : evaluated.keep(more);
    if (kept !== undefined) return { data: more, kept };
  }
  return undefined;
}

/** @param {any} data @param {unknown} value @returns {any} */
function added(data, value) {
  if (typeof data !== 'object' || data === null) return data;
  if (Array.isArray(data)) return data.map((item) => added(item, value));
  const entries = Object.entries(data).map(([key, item]) => [key, added(item, value)]);
  return Object.fromEntries([...entries, [UNLISTED, value]]);
}

/**
 * @param {any} schema
 * @param {any} data
 * @param {Record<string, unknown>} schemas
 * @param {{ rest: unknown } | undefined} kept the expected result with 'omit'
 * @returns {{ kind: 'whole' | 'refused' | 'wrong', message: string }}
 */
function write(schema, data, schemas, kept) {
  const results = [];
  try {
    for (const unlisted of /** @type {const} */ (['write', 'omit'])) {
      for (const lane of /** @type {const} */ (['wasm', 'v8'])) {
        const writer = compileWriter(schema, { unlisted, lane, schemas });
        results.push(JSON.parse(Buffer.from(writer.toBytes(data)).toString()));
      }
    }
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
    return { kind: code === 'SCHEMA_INVALID' ? 'refused' : 'wrong', message };
  }
  const [wasm, v8, omitted, omittedV8] = results;
  const isRight =
    isDeepStrictEqual(wasm, data) &&
    isDeepStrictEqual(v8, data) &&
    isDeepStrictEqual(omitted, omittedV8) &&
    (kept === undefined || isDeepStrictEqual(omitted, kept.rest));
  const message = `${JSON.stringify(results)} of ${JSON.stringify(data)}, expected with omit: ${JSON.stringify(kept?.rest)}`;
  return { kind: isRight ? 'whole' : 'wrong', message };
}
