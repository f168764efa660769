/*
 * Computes what a schema admits of a valid value, from the specification alone. It determines the applicable subschemas for each
 * value, and asks ajv which branches match. It is slow, and independent of how LoopShard plans.
 */

/**
 * @typedef {{ schema: any, pointer: string }} Place
 * @typedef {(pointer: string, value: unknown) => boolean} Matches
 */

/** @param {string} key */
const escaped = (key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));

export class Admission {
  /**
   * @param {any} root
   * @param {Matches} matches whether the value is valid under the schema at a pointer of the root
   */
  constructor(root, matches) {
    this.root = root;
    this.matches = matches;
    /** Draft 7 and earlier ignore the siblings of a reference. */
    this.isOld = typeof root.$schema === 'string' && /draft-0[3-7]/.test(root.$schema);
  }

  /**
   * The value without the properties that no applicable subschema evaluates.
   * @param {unknown} value
   * @param {string} pointer of its schema
   */
  of(value, pointer) {
    return this.at([this.resolve(`#${pointer}`)], value);
  }

  /** @param {Place[]} places @param {any} value @returns {any} */
  at(places, value) {
    if (typeof value !== 'object' || value === null) return value;
    const parts = new Map(places.flatMap((place) => this.applicable(place, value)).map((part) => [part.pointer, part]));
    const all = [...parts.values()];
    if (Array.isArray(value))
      return value.map((item, i) =>
        this.at(
          all.flatMap((part) => items(part, i)),
          item,
        ),
      );
    const isNamed = all.some(
      ({ schema }) => schema.properties ?? schema.patternProperties ?? schema.additionalProperties,
    );
    const result = Object.create(null);
    for (const [key, item] of Object.entries(value)) {
      const inner = all.flatMap((part) => properties(part, key));
      const isRequired = all.some(({ schema }) => Array.isArray(schema.required) && schema.required.includes(key));
      if (inner.length > 0 || isRequired || !isNamed) result[key] = this.at(inner, item);
    }
    return result;
  }

  /** @param {Place} place @param {any} value @returns {Place[]} */
  applicable({ schema, pointer }, value) {
    if (typeof schema !== 'object' || schema === null) return [];
    const next = (/** @type {any} */ part, /** @type {string} */ path) =>
      this.applicable({ schema: part, pointer: pointer + path }, value);
    const found = [];
    if (typeof schema.$ref === 'string') {
      found.push(...this.applicable(this.resolve(schema.$ref), value));
      if (this.isOld) return found;
    }
    found.push({ schema, pointer });
    for (const [i, part] of (schema.allOf ?? []).entries()) found.push(...next(part, `/allOf/${i}`));
    for (const [i, part] of (schema.anyOf ?? []).entries()) {
      if (this.matches(`${pointer}/anyOf/${i}`, value)) found.push(...next(part, `/anyOf/${i}`));
    }
    const one = (schema.oneOf ?? []).findIndex((/** @type {any} */ _part, /** @type {number} */ i) =>
      this.matches(`${pointer}/oneOf/${i}`, value),
    );
    if (one >= 0) found.push(...next(schema.oneOf[one], `/oneOf/${one}`));
    if (schema.if !== undefined) {
      const holds = this.matches(`${pointer}/if`, value);
      if (holds) found.push(...next(schema.if, '/if'));
      found.push(...next(holds ? schema.then : schema.else, holds ? '/then' : '/else'));
    }
    for (const keyword of ['dependentSchemas', 'dependencies']) {
      for (const [key, part] of Object.entries(schema[keyword] ?? {})) {
        if (Object.hasOwn(value, key) && !Array.isArray(part)) found.push(...next(part, `/${keyword}/${escaped(key)}`));
      }
    }
    return found;
  }

  /** @param {string} reference @returns {Place} */
  resolve(reference) {
    if (!reference.startsWith('#')) throw new Error(`${reference} leads out of the document`);
    let schema = this.root;
    for (const part of reference.split('/').slice(1)) {
      schema = schema[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
    }
    return { schema, pointer: reference.slice(1) };
  }
}

/** @param {Place} place @param {string} key @returns {Place[]} */
function properties({ schema, pointer }, key) {
  const found = [];
  if (Object.hasOwn(schema.properties ?? {}, key)) {
    found.push({ schema: schema.properties[key], pointer: `${pointer}/properties/${escaped(key)}` });
  }
  for (const [pattern, part] of Object.entries(schema.patternProperties ?? {})) {
    if (new RegExp(pattern, 'u').test(key))
      found.push({ schema: part, pointer: `${pointer}/patternProperties/${escaped(pattern)}` });
  }
  if (found.length === 0 && schema.additionalProperties !== undefined) {
    found.push({ schema: schema.additionalProperties, pointer: `${pointer}/additionalProperties` });
  }
  return found;
}

/** @param {Place} place @param {number} i @returns {Place[]} */
function items({ schema, pointer }, i) {
  const tuple = Array.isArray(schema.items) ? 'items' : 'prefixItems';
  const rest = Array.isArray(schema.items) ? 'additionalItems' : 'items';
  const length = schema[tuple]?.length ?? 0;
  if (i < length) return [{ schema: schema[tuple][i], pointer: `${pointer}/${tuple}/${i}` }];
  return schema[rest] === undefined ? [] : [{ schema: schema[rest], pointer: `${pointer}/${rest}` }];
}
