import { load } from './packages.js';

/*
 * Finds the parts of a valid value that a schema evaluates, with the validator of @hyperjump/json-schema. That validator
 * resolves references, judges branches and finds unevaluated properties on its own, for every draft.
 */
const HYPERJUMP = /** @type {const} */ (['@hyperjump/json-schema', '1.18.0']);
const dialects = await load(...HYPERJUMP, ['draft-04', 'draft-06', 'draft-07', 'draft-2019-09', 'draft-2020-12']);
const { compile, getSchema, interpret } = await load(...HYPERJUMP, ['experimental']);
const Instance = await load(...HYPERJUMP, ['instance/experimental']);
const { registerSchema, unregisterSchema, setShouldValidateSchema } = dialects;
setShouldValidateSchema(false);

/** The URI for a schema that has none. */
const ADDRESS = 'https://example.org/schema';
/** Keywords that name properties, so that all other properties are unlisted. */
const NAMING = /\/(properties|patternProperties|additionalProperties|unevaluatedProperties)$/;

/**
 * @typedef {any} Place a part of a value
 * @typedef {{ place: Place, keyword?: string, required?: string[] }} Evaluation of a place by a schema or one of its keywords
 */

/** Collects the evaluations that hold: those of schemas that are valid under keywords that are valid, up to the root. */
class Evaluations {
  /** @type {Evaluation[]} */
  all = [];

  /** @param {unknown} _url @param {Place} _place @param {any} context */
  beforeSchema(_url, _place, context) {
    context.inside = [];
  }

  /** @param {any} keyword @param {Place} place @param {any} context @param {boolean} isValid @param {any} around */
  afterKeyword([keyword, , value], place, context, isValid, around) {
    if (!isValid) return;
    around.inside.push({ place, keyword, required: keyword.endsWith('/required') ? value : undefined });
    around.inside.push(...(context.found ?? []));
  }

  /** @param {unknown} _url @param {Place} place @param {any} context @param {boolean} isValid */
  afterSchema(_url, place, context, isValid) {
    if (isValid) (context.found ??= []).push({ place }, ...context.inside);
    this.all = context.found ?? [];
  }
}

/**
 * Registers the documents that schemas refer to.
 * @param {Record<string, any>} documents by their URI
 * @param {string} dialect of documents that do not declare their own
 */
export function publish(documents, dialect) {
  for (const [uri, document] of Object.entries(documents)) {
    unregisterSchema(uri);
    registerSchema(document, uri, dialect);
  }
}

/** A schema as the validator of @hyperjump/json-schema reads it. */
export class Evaluated {
  /** @type {any} */
  #schema;

  /** @param {any} schema @param {string} dialect if the schema does not declare its own */
  static async of(schema, dialect) {
    try {
      registerSchema(schema, ADDRESS, dialect);
      const evaluated = new Evaluated();
      evaluated.#schema = await compile(await getSchema(ADDRESS));
      return evaluated;
    } finally {
      unregisterSchema(ADDRESS);
    }
  }

  /**
   * The value without the properties that no applicable subschema names; `undefined` if the value is not valid.
   * @param {unknown} value
   * @returns {{ rest: unknown } | undefined}
   */
  keep(value) {
    const root = Instance.fromJs(value);
    const evaluations = new Evaluations();
    const { valid } = interpret(this.#schema, root, { outputFormat: 'FLAG', plugins: [evaluations] });
    return valid ? { rest: keep(root, placesOf(evaluations.all)) } : undefined;
  }
}

/** @param {Evaluation[]} evaluations */
function placesOf(evaluations) {
  /** @type {Map<Place, { isNamed: boolean, required: Set<string> }>} */
  const places = new Map();
  for (const { place, keyword = '', required = [] } of evaluations) {
    let found = places.get(place);
    if (found === undefined) places.set(place, (found = { isNamed: false, required: new Set() }));
    found.isNamed ||= NAMING.test(keyword);
    for (const key of required) found.required.add(key);
  }
  return places;
}

/** @param {Place} place @param {ReturnType<typeof placesOf>} places @returns {unknown} */
function keep(place, places) {
  switch (Instance.typeOf(place)) {
    case 'array':
      return [...Instance.iter(place)].map((item) => keep(item, places));
    case 'object': {
      const found = places.get(place);
      const isKept = (/** @type {string} */ key, /** @type {Place} */ inner) =>
        !found?.isNamed || places.has(inner) || found.required.has(key);
      const entries = [...Instance.entries(place)].map(([key, inner]) => [Instance.value(key), inner]);
      return Object.fromEntries(
        entries.filter(([key, inner]) => isKept(key, inner)).map(([key, inner]) => [key, keep(inner, places)]),
      );
    }
    default:
      return Instance.value(place);
  }
}
