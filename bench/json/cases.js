import { bundle, bundleSchema, repository, repositorySchema } from './documents.js';

/* The values and schemas of the JSON bench. Each kind has 64 values, so that no writer benefits from repeated values. */

const VALUES = 64;

/**
 * xorshift32: the same values in every run.
 * @param {number} seed
 */
function random(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const next = random(20260101);
/** @param {number} limit */
const whole = (limit) => Math.floor(next() * limit);
/** @param {string[]} values */
const pick = (values) => values[whole(values.length)];
const word = () => Math.floor(next() * 36 ** 8).toString(36);
/**
 * @template T
 * @param {number} count
 * @param {(i: number) => T} make
 */
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));

/**
 * Converts values to JSON and back, so that strings are flat, like those from a socket or a database.
 * @param {(i: number) => unknown} make
 * @returns {any[]}
 */
const fresh = (make) => JSON.parse(JSON.stringify(list(VALUES, make)));

/** @param {Record<string, unknown>} properties */
const object = (properties) => ({ type: 'object', properties, required: Object.keys(properties) });
/** @param {unknown} items */
const array = (items) => ({ type: 'array', items });
const string = { type: 'string' };
const number = { type: 'number' };
const integer = { type: 'integer' };
const boolean = { type: 'boolean' };

/** @param {number} id */
const user = (id) => ({
  id,
  name: `${word()} ${word()}`,
  email: `${word()}@example.com`,
  city: pick(['Berlin', 'Paris', 'New York City', 'San Francisco', 'Tokyo']),
  score: whole(10000) / 100,
  active: next() < 0.5,
});

/** @param {number} id */
const order = (id) => ({
  id,
  customer: {
    name: `${word()} ${word()}`,
    address: { street: `${word()} ${whole(200)}`, city: word(), zip: String(whole(99999)) },
  },
  lines: list(8, (line) => ({
    line,
    sku: word(),
    quantity: whole(20),
    price: whole(100000) / 100,
    tags: [word(), word()],
  })),
  total: whole(1e7) / 100,
  note: null,
});

const orderSchema = object({
  id: integer,
  customer: object({ name: string, address: object({ street: string, city: string, zip: string }) }),
  lines: array(object({ line: integer, sku: string, quantity: integer, price: number, tags: array(string) })),
  total: number,
  note: { type: ['string', 'null'] },
});

const prose =
  'It is a truth universally acknowledged, that a single man in possession of a good fortune must want a wife. ';

/**
 * @typedef {{ name: string, group: 'small' | 'rows' | 'numbers' | 'text' | 'documents', schema: object, values: any[],
 *   others?: (value: any) => unknown }} Case
 */

/** @type {Case[]} */
export const cases = [
  {
    name: 'object, 3 fields',
    group: 'small',
    schema: object({ id: integer, name: string, active: boolean }),
    values: fresh(() => ({ id: whole(1e6), name: word(), active: next() < 0.5 })),
  },
  {
    name: 'object, 5 fields',
    group: 'small',
    schema: object({ id: integer, name: string, email: string, score: number, active: boolean }),
    values: fresh((id) => {
      const { city: _city, ...rest } = user(id);
      return rest;
    }),
  },
  {
    name: '100 rows, 6 fields',
    group: 'rows',
    schema: array(object({ id: integer, name: string, email: string, city: string, score: number, active: boolean })),
    values: fresh(() => list(100, user)),
  },
  {
    name: '1,536 doubles',
    group: 'numbers',
    schema: array(number),
    values: fresh(() => list(1536, () => next() * 2 - 1)),
  },
  {
    name: '1,000 prices',
    group: 'numbers',
    schema: array(number),
    values: fresh(() => list(1000, () => whole(100000) / 100)),
  },
  {
    name: '1,000 integers',
    group: 'numbers',
    schema: array(integer),
    values: fresh(() => list(1000, () => whole(1e6))),
  },
  {
    name: 'Float32Array, 1,536',
    group: 'numbers',
    schema: array(number),
    values: list(VALUES, () => Float32Array.from({ length: 1536 }, () => next() * 2 - 1)),
    // The other writers treat typed arrays as objects.
    others: (value) => Array.from(value),
  },
  { name: 'text, 10 kB', group: 'text', schema: string, values: fresh((i) => `${prose.repeat(94)}${i}`) },
  {
    name: 'text with escapes',
    group: 'text',
    schema: string,
    values: fresh((i) => `He said: "${prose}"\n\t`.repeat(85) + i),
  },
  {
    name: 'text, Japanese',
    group: 'text',
    schema: string,
    values: fresh((i) => '吾輩は猫である。名前はまだ無い。'.repeat(200) + i),
  },
  {
    name: 'text, Latin with accents',
    group: 'text',
    schema: string,
    values: fresh((i) => 'Où est passé l’été à la plage ? '.repeat(300) + i),
  },
  { name: 'nested document', group: 'rows', schema: orderSchema, values: fresh(order) },
  {
    name: 'GitHub repository',
    group: 'documents',
    schema: repositorySchema,
    values: fresh((i) => repository(i, word, whole)),
  },
  {
    name: 'FHIR Bundle, 20 entries',
    group: 'documents',
    schema: bundleSchema,
    values: fresh((i) => bundle(i, word, whole)),
  },
];
