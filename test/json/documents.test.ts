import { describe, expect, test } from '@jest/globals';
import { compileWriter } from 'loopshard/json';
import { text } from './lanes.js';
import { Random, SEED } from './random.js';

/*
 * Documents with the shapes of common JSON benchmarks (twitter, citm_catalog, canada, github_events), generated from a
 * seed.
 */
const random = new Random(SEED);
const list = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const words = ['the', 'quick', '狐', 'ünïcode', '"quoted"', 'line\nbreak', 'https:\\/\\/t.co', '😀', 'a', 'lorem'];
const prose = (count: number) => random.text(words, count);
const id = () => random.below(2 ** 48);

const tweet = () => ({
  created_at: 'Sun Aug 31 00:29:15 +0000 2014',
  id: id(),
  id_str: String(id()),
  text: prose(12),
  truncated: false,
  in_reply_to_status_id: random.below(2) ? null : id(),
  user: {
    id: id(),
    name: prose(2),
    description: prose(8),
    verified: random.below(2) === 0,
    followers_count: random.below(1e6),
  },
  entities: { hashtags: list(random.below(3), () => ({ text: prose(1), indices: [random.below(9), 140] })), urls: [] },
  favorited: false,
  lang: 'ja',
});

const canada = {
  type: 'FeatureCollection',
  features: [
    {
      type: 'Feature',
      properties: { name: 'Canada' },
      geometry: {
        type: 'Polygon',
        coordinates: list(20, () =>
          list(200, () => [random.below(1e9) / 1e6 - 141, random.below(2 ** 50) / 2 ** 44 + 42]),
        ),
      },
    },
  ],
};

const citm = {
  areaNames: Object.fromEntries(list(50, (i) => [String(205705993 + i), prose(2)])),
  audienceSubCategoryNames: { '337100890': 'Abonné' },
  events: Object.fromEntries(
    list(100, (i) => [
      String(138586341 + i),
      { description: null, id: i, logo: `/images/${i}.jpg`, name: prose(3), subTopicIds: [1, 2, i] },
    ]),
  ),
  performances: list(50, () => ({
    eventId: id(),
    prices: list(4, () => ({ amount: random.below(1e5), categoryId: id() })),
    start: id(),
  })),
};

const string = { type: 'string' };
const integer = { type: 'integer' };
const boolean = { type: 'boolean' };
const object = (properties: Record<string, unknown>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
});
const array = (items: unknown) => ({ type: 'array', items });
const map = (items: unknown) => ({ type: 'object', additionalProperties: items });

const schemas: [string, unknown, unknown][] = [
  [
    'tweets',
    list(100, tweet),
    array(
      object({
        created_at: string,
        id: integer,
        id_str: string,
        text: string,
        truncated: boolean,
        in_reply_to_status_id: { type: ['integer', 'null'] },
        user: object({ id: integer, name: string, description: string, verified: boolean, followers_count: integer }),
        entities: object({ hashtags: array(object({ text: string, indices: array(integer) })), urls: array({}) }),
        favorited: boolean,
        lang: { enum: ['en', 'ja', 'de'] },
      }),
    ),
  ],
  [
    'coordinates',
    canada,
    object({
      type: { const: 'FeatureCollection' },
      features: array(
        object({
          type: string,
          properties: map(string),
          geometry: object({ type: string, coordinates: array(array(array({ type: 'number' }))) }),
        }),
      ),
    }),
  ],
  [
    'catalog',
    citm,
    object({
      areaNames: map(string),
      audienceSubCategoryNames: map(string),
      events: map(
        object({
          description: { type: ['string', 'null'] },
          id: integer,
          logo: string,
          name: string,
          subTopicIds: array(integer),
        }),
      ),
      performances: array(
        object({ eventId: integer, prices: array(object({ amount: integer, categoryId: integer })), start: integer }),
      ),
    }),
  ],
  [
    'events, which the schema does not describe',
    list(100, () => ({ type: 'PushEvent', payload: { commits: list(3, tweet) } })),
    {},
  ],
];

describe('documents', () => {
  for (const [name, value, schema] of schemas) {
    test(`of ${name}`, () => {
      const writer = compileWriter(schema, { lane: 'wasm' });
      expect(text(writer, value) === JSON.stringify(value)).toBe(true);
      expect(writer.explain().fallbacks).toBe(0);
    });
  }
});
