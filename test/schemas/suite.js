import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { compileWriter } from '../../build/src/json/index.js';
import { readJson } from './packages.js';

/** The drafts, by their folders in the suite. */
const DRAFTS = {
  draft7: 'http://json-schema.org/draft-07/schema#',
  'draft2019-09': 'https://json-schema.org/draft/2019-09/schema',
  'draft2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

/** @param {string} folder @returns {string[]} */
const jsonFiles = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'));

/** The documents that the suite refers to: its own, and the meta-schemas, which ajv has. @param {string} suite */
function documents(suite) {
  /** @type {Record<string, unknown>} */
  const found = {};
  for (const path of jsonFiles(join(suite, 'remotes')))
    found[`http://localhost:1234/${path}`] = readJson(join(suite, 'remotes', path));
  const folder = join(dirname(createRequire(import.meta.url).resolve('ajv')), 'refs');
  for (const path of jsonFiles(folder)) {
    const schema = readJson(join(folder, path));
    if (schema.$id?.includes('json-schema.org')) found[schema.$id.replace(/#$/, '')] = schema;
  }
  return found;
}

/**
 * Writes every valid instance of the JSON-Schema-Test-Suite, which must come back whole with `unlisted: 'write'`, and in both
 * lanes the same with 'omit'.
 * @param {string} suite
 * @returns {number} instances that did not
 */
export function runSuite(suite) {
  const schemas = documents(suite);
  let faults = 0;
  console.log('| JSON-Schema-Test-Suite | valid instances | whole | refused | wrong |');
  console.log('|---|---|---|---|---|');
  for (const [draft, $schema] of Object.entries(DRAFTS)) {
    const count = { valid: 0, whole: 0, refused: 0, wrong: 0 };
    const folder = join(suite, 'tests', draft);
    for (const file of readdirSync(folder).filter((path) => path.endsWith('.json'))) {
      for (const { schema, tests, description } of readJson(join(folder, file))) {
        const dated = typeof schema === 'object' ? { $schema, ...schema } : schema;
        for (const { data } of tests.filter((/** @type {any} */ test) => test.valid)) {
          count.valid++;
          const outcome = write(dated, data, schemas);
          count[outcome.kind]++;
          if (outcome.kind !== 'whole') console.error(`${draft} ${file}, ${description}: ${outcome.message}`);
        }
      }
    }
    faults += count.wrong;
    console.log(`| ${draft} | ${count.valid} | ${count.whole} | ${count.refused} | ${count.wrong} |`);
  }
  console.log('');
  return faults;
}

/**
 * @param {any} schema
 * @param {any} data
 * @param {Record<string, unknown>} schemas
 * @returns {{ kind: 'whole' | 'refused' | 'wrong', message: string }}
 */
function write(schema, data, schemas) {
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
  const isWhole = isDeepStrictEqual(wasm, data) && isDeepStrictEqual(v8, data) && isDeepStrictEqual(omitted, omittedV8);
  return { kind: isWhole ? 'whole' : 'wrong', message: JSON.stringify(results) };
}
