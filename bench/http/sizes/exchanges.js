import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LOOPSHARD } from '../peers.js';
import { makeRows } from '../servers/rows.js';
import { ANSWER_BYTES, BODY_LIMIT_BYTES, makeBytes, makeText, ROW_COUNTS, summarize } from '../servers/sizes.js';

/** @typedef {import('../peers.js').Peer} Peer */

/**
 * A target of LoopShard relative to another server.
 * @typedef {object} Goal
 * @property {string} peer id of LoopShard's server
 * @property {string} against id
 * @property {'requestsPerSecond' | 'p99Us'} figure
 * @property {number | undefined} reach ratio of the two figures: minimum for requests/s, maximum for p99. Undefined: only shown
 */

/**
 * A request and its response: a row of the table.
 * @typedef {object} Exchange
 * @property {string} id what --only takes
 * @property {string} title
 * @property {string} kind which line of the chart it belongs to
 * @property {number} bytes of the larger body
 * @property {string} path
 * @property {Pick<Peer, 'body' | 'type' | 'post'>} expected
 * @property {string[]} peers ids of the servers that are measured with it
 * @property {string} [posted] JSON for the file `expected.post`
 * @property {Goal[]} goals
 */

export const TWO_SHARDS = 'loopshard-2';
export const FASTIFY = 'fastify';
export const CLUSTER = 'fastify-cluster';

/** Directory of the files that the load generator posts, deleted with the build. */
const POSTS = new URL('../../../build/bench-http-sizes/', import.meta.url);

const APP = new URL('../servers/fastify-sizes-app.js', import.meta.url).href;
const common = { body: '', skips: [] };

/**
 * @param {number} shards
 * @returns {string[]}
 */
function loopshardArguments(shards) {
  return ['loopshard-sizes-app.js', JSON.stringify({ shards, limits: { maxBodyBytes: BODY_LIMIT_BYTES } })];
}

/** @type {readonly Peer[]} */
export const SIZES_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard, 1 shard', file: 'loopshard.js', args: loopshardArguments(1), ...common },
  { id: TWO_SHARDS, title: 'LoopShard, 2 shards', file: 'loopshard.js', args: loopshardArguments(2), ...common },
  { id: FASTIFY, title: 'Fastify', file: 'fastify.js', args: [APP], ...common },
  { id: CLUSTER, title: 'Fastify cluster(2)', file: 'fastify-cluster.js', args: [APP], ...common },
];

const EVERYBODY = SIZES_PEERS.map(({ id }) => id);
const TWO_OF_EACH = [TWO_SHARDS, CLUSTER];

/** Smaller responses fit into a slot and have their own goals in the workload `message`. */
const LARGE_FROM_BYTES = 20_000;
const LARGE = { single: 1.3, double: 1 };
const ROWS = { rate: 0.95, p99: 1 };
const ROWS_SCHEMA_RATE = 1.5;
const POST_RATE = 1;

/** No row has less. */
const MIN_ROW_BYTES = 120;

/** Sizes of the posted JSON, by the names in their IDs. */
const POST_BYTES = { '20k': 20_000, '80k': 80_000, '1m': 1_000_000 };

/** @param {number} bytes */
function sizeName(bytes) {
  if (bytes === 2 ** 20) return '1 MiB';
  return bytes < 1e6 ? `${bytes / 1e3} kB` : `${bytes / 1e6} MB`;
}

/**
 * @param {Goal['figure']} figure
 * @param {number} [reach]
 * @returns {Goal}
 */
function twoAgainstCluster(figure, reach) {
  return { peer: TWO_SHARDS, against: CLUSTER, figure, reach };
}

/**
 * @param {string} kind and the first part of the path
 * @param {string} type
 * @param {(bytes: number) => string | Buffer} make
 * @returns {Exchange[]}
 */
function answers(kind, type, make) {
  return Object.entries(ANSWER_BYTES).map(([name, bytes]) => {
    const isLarge = bytes >= LARGE_FROM_BYTES;
    return {
      id: `${kind}-${name}`,
      title: `${kind}, ${sizeName(bytes)}`,
      kind,
      bytes,
      path: `${kind}/${name}`,
      expected: { body: make(bytes), type },
      peers: EVERYBODY,
      goals: [
        {
          peer: LOOPSHARD,
          against: FASTIFY,
          figure: 'requestsPerSecond',
          reach: isLarge ? LARGE.single : undefined,
        },
        twoAgainstCluster('requestsPerSecond', isLarge ? LARGE.double : undefined),
      ],
    };
  });
}

/**
 * @param {string} kind and the first part of the path
 * @param {string} title
 * @param {Goal[]} goals
 * @returns {Exchange[]}
 */
function rows(kind, title, goals) {
  return ROW_COUNTS.map((count) => {
    const body = JSON.stringify(makeRows(count));
    return {
      id: `${kind}-${count}`,
      title: `${count.toLocaleString('en-US')} rows, ${title} (${sizeName(Math.round(body.length / 1e3) * 1e3)})`,
      kind,
      bytes: body.length,
      path: `${kind}/${count}`,
      expected: { body },
      peers: TWO_OF_EACH,
      goals,
    };
  });
}

/** @returns {Exchange[]} */
function posts() {
  return Object.entries(POST_BYTES).map(([name, bytes]) => {
    const document = makeDocument(bytes);
    return {
      id: `post-${name}`,
      title: `POST of JSON, ${sizeName(bytes)}`,
      kind: 'post',
      bytes,
      path: 'post',
      expected: { body: JSON.stringify(summarize(document)), post: fileURLToPath(new URL(`post-${name}.json`, POSTS)) },
      posted: JSON.stringify(document),
      peers: TWO_OF_EACH,
      goals: [twoAgainstCluster('requestsPerSecond', POST_RATE), twoAgainstCluster('p99Us')],
    };
  });
}

/**
 * Creates rows whose JSON has exactly this many bytes.
 * @param {number} bytes
 */
function makeDocument(bytes) {
  const all = makeRows(Math.ceil(bytes / MIN_ROW_BYTES));
  const document = { rows: all, padding: '' };
  while (JSON.stringify(document).length > bytes) document.rows = document.rows.slice(0, -MIN_ROW_BYTES / 4);
  document.padding = '-'.repeat(bytes - JSON.stringify(document).length);
  return document;
}

/** @returns {Exchange[]} */
export function makeExchanges() {
  return [
    ...answers('text', 'text/plain', makeText),
    ...answers('bytes', 'application/octet-stream', makeBytes),
    ...rows('rows', 'no schema', [
      twoAgainstCluster('requestsPerSecond', ROWS.rate),
      twoAgainstCluster('p99Us', ROWS.p99),
    ]),
    ...rows('rows-schema', 'schema', [
      twoAgainstCluster('requestsPerSecond', ROWS_SCHEMA_RATE),
      twoAgainstCluster('p99Us'),
    ]),
    ...posts(),
  ];
}

/**
 * Writes the files that `exchanges` post.
 * @param {Exchange[]} exchanges
 */
export function writePosts(exchanges) {
  mkdirSync(POSTS, { recursive: true });
  for (const { expected, posted } of exchanges) {
    if (expected.post !== undefined && posted !== undefined) writeFileSync(expected.post, posted);
  }
}
