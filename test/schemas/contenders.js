import { isDeepStrictEqual } from 'node:util';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fastJson from 'fast-json-stringify';
import { generateSync } from 'json-schema-faker';
import { compileWriter } from 'loopshard/json';
import { Admission } from './admitted.js';

/**
 * How to generate values for a schema: deep ones with few optional properties, and a flatter one with all of them. With all
 * properties, deep values of a recursive schema would never end.
 */
export const MAKINGS = [
  { maxDepth: 8, optionalsProbability: 0 },
  { maxDepth: 8, optionalsProbability: 0.2 },
  { maxDepth: 5, optionalsProbability: 1 },
];
/** Milliseconds for generating the values of one schema. */
const PATIENCE = 300;

/** Schema size in characters from which fast-json-stringify takes minutes to compile. */
const LARGE = 500_000;

/** The results for the schemas of one source. */
export class Tally {
  schemas = 0;
  compiled = 0;
  /** @type {string[]} */
  refused = [];
  /** Schemas for which no value valid under ajv could be generated. */
  without = 0;
  values = 0;
  /** @type {string[]} */
  wrong = [];
  compileMs = 0;
  fast = { skipped: 0, refused: 0, failed: 0, wrong: 0 };
}

/**
 * Compiles a schema, generates values for it, writes them and compares the results.
 * @param {Tally} tally
 * @param {import('./sources.js').Described} described
 * @param {number} seed
 * @param {boolean} isForFast whether fast-json-stringify takes part
 */
export function check(tally, { name, schema, document, pointer, models = [schema] }, seed, isForFast = true) {
  tally.schemas++;
  const writers = compile(tally, name, schema);
  if (writers === undefined) return;
  tally.compiled++;
  const validator = validatorOf(document, pointer);
  if (validator === undefined) {
    tally.without++;
    return;
  }
  const admission = new Admission(document, validator.matches);
  const fast = compileFast(tally, schema, isForFast);
  let count = 0;
  for (const value of models.flatMap((model) => [...values(model, seed, validator.isValid)])) {
    count++;
    const expected = admission.of(value, pointer);
    for (const [way, write] of Object.entries(writers)) {
      const wanted = way.endsWith('write') ? value : expected;
      const fault = difference(write, value, wanted);
      if (fault !== undefined) tally.wrong.push(`${name} (${way}): ${fault}`);
    }
    if (fast === undefined) continue;
    const text = attempt(() => fast(value));
    if (text instanceof Error) tally.fast.failed++;
    else if (
      !isSame(
        attempt(() => JSON.parse(text)),
        expected,
      )
    )
      tally.fast.wrong++;
  }
  tally.values += count;
  if (count === 0) tally.without++;
}

/** @param {Tally} tally @param {string} name @param {any} schema */
function compile(tally, name, schema) {
  const before = process.cpuUsage().user;
  try {
    const writer = compileWriter(schema);
    tally.compileMs += (process.cpuUsage().user - before) / 1000;
    const plain = compileWriter(schema, { lane: 'v8' });
    const all = compileWriter(schema, { unlisted: 'write' });
    return {
      omit: (/** @type {any} */ value) => writer.toBytes(value),
      'omit, lane v8': (/** @type {any} */ value) => plain.toBytes(value),
      write: (/** @type {any} */ value) => all.toBytes(value),
    };
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
    if (code !== 'SCHEMA_INVALID')
      throw new Error(`${name} fails to compile with another error: ${message}`, { cause: error });
    tally.refused.push(`${name}: ${message}`);
    return undefined;
  }
}

/** @param {(value: any) => Uint8Array} write @param {unknown} value @param {unknown} wanted @returns {string | undefined} */
function difference(write, value, wanted) {
  const bytes = attempt(() => write(value));
  if (bytes instanceof Error) return bytes.message;
  const text = Buffer.from(bytes).toString();
  const parsed = attempt(() => JSON.parse(text));
  if (!isSame(parsed, wanted)) return `${text.slice(0, 200)} instead of ${JSON.stringify(wanted).slice(0, 200)}`;
  // Byte for byte what JSON.stringify writes for the value in this order.
  return text === JSON.stringify(parsed)
    ? undefined
    : `${text.slice(0, 200)} differs from the output of JSON.stringify`;
}

/** @param {unknown} a @param {unknown} b */
function isSame(a, b) {
  // Compares through JSON, which ignores prototypes and -0.
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a) ?? 'null'), JSON.parse(JSON.stringify(b) ?? 'null'));
}

/** @template T @param {() => T} run @returns {T | Error} */
function attempt(run) {
  try {
    return run();
  } catch (error) {
    return /** @type {Error} */ (error);
  }
}

/** One ajv for each document, so that shared schemas are compiled once. @type {WeakMap<object, Ajv | undefined>} */
const validators = new WeakMap();

/** @param {any} document */
function ajvOf(document) {
  if (validators.has(document)) return validators.get(document);
  const options = { strict: false, validateFormats: false, logger: /** @type {const} */ (false), inlineRefs: false };
  const isOld = typeof document.$schema === 'string' && /draft-0[3-7]/.test(document.$schema);
  const Version = isOld ? Ajv : Ajv2020;
  const { $schema: _, id: _id, $id: _known, ...rest } = document;
  const ajv = new Version({ ...options, meta: false, validateSchema: false });
  const added = attempt(() => ajv.addSchema(rest, 'root'));
  validators.set(document, added instanceof Error ? undefined : ajv);
  return validators.get(document);
}

/** @param {any} document @param {string} pointer */
function validatorOf(document, pointer) {
  const ajv = ajvOf(document);
  const at = (/** @type {string} */ place) => ajv?.getSchema(`root#${place}`);
  const isValid = attempt(() => at(pointer));
  if (isValid === undefined || isValid instanceof Error) return undefined;
  return {
    isValid: (/** @type {unknown} */ value) => isValid(value) === true,
    matches: (/** @type {string} */ place, /** @type {unknown} */ value) => at(place)?.(value) === true,
  };
}

/** @param {any} schema @param {number} seed @param {(value: unknown) => boolean} isValid */
function* values(schema, seed, isValid) {
  const end = performance.now() + PATIENCE;
  for (const [i, making] of MAKINGS.entries()) {
    if (performance.now() > end) return;
    const options = { seed: seed + i, maxDefaultItems: 2, ...making };
    const value = attempt(() => JSON.parse(JSON.stringify(generateSync(schema, options))));
    if (!(value instanceof Error) && attempt(() => isValid(value)) === true) yield value;
  }
}

/** @param {Tally} tally @param {any} schema @param {boolean} takesPart @returns {((value: unknown) => string) | undefined} */
function compileFast(tally, schema, takesPart) {
  const { $schema: _, ...rest } = schema;
  if (!takesPart || JSON.stringify(rest).length > LARGE) {
    tally.fast.skipped++;
    return undefined;
  }
  const compiled = attempt(() => fastJson(rest));
  if (!(compiled instanceof Error)) return /** @type {(value: unknown) => string} */ (compiled);
  tally.fast.refused++;
  return undefined;
}
