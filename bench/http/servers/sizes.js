/** Requests and responses of the workload `sizes`, with the same bytes on every server. */
import { makeRows } from './rows.js';

/** Sizes of texts and raw responses, by the names in their paths. */
export const ANSWER_BYTES = {
  '4k': 4_000,
  '15k': 15_000,
  '20k': 20_000,
  '64k': 64_000,
  '256k': 256_000,
  '1m': 2 ** 20,
};

/** Numbers of rows of the JSON responses. */
export const ROW_COUNTS = [300, 1_000];

/** The largest request of this workload has 1 MB. The limit of Fastify and LoopShard is 1 MiB. */
export const BODY_LIMIT_BYTES = 4 * 2 ** 20;

const LINE = 'Pages and lists are larger than sixteen kilobytes as a rule.\n';

/** @param {number} bytes */
export function makeText(bytes) {
  // Converted through a buffer, because repeat() and slice() return strings that refer to others.
  return Buffer.from(LINE.repeat(Math.ceil(bytes / LINE.length)).slice(0, bytes)).toString('latin1');
}

/** @param {number} bytes */
export function makeBytes(bytes) {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => Math.imul(i, 2_654_435_761) >>> 19));
}

/**
 * The response of POST handlers, which shows that they have parsed the complete body.
 * @param {{ rows: { id: number }[], padding: string }} posted
 */
export function summarize({ rows, padding }) {
  return { rows: rows.length, ids: rows.reduce((sum, { id }) => sum + id, 0), padding: padding.length };
}

/**
 * The GET routes: `handler` responds to `path`, with a response schema if `hasSchema`.
 * @returns {{ path: string, handler: () => unknown, hasSchema: boolean }[]}
 */
export function makeRoutes() {
  const ofSizes = Object.entries(ANSWER_BYTES).flatMap(([name, size]) => {
    const text = makeText(size);
    const bytes = makeBytes(size);
    return [
      { path: `/text/${name}`, handler: () => text, hasSchema: false },
      { path: `/bytes/${name}`, handler: () => bytes, hasSchema: false },
    ];
  });
  const ofRows = ROW_COUNTS.flatMap((count) => [
    { path: `/rows/${count}`, handler: () => makeRows(count), hasSchema: false },
    { path: `/rows-schema/${count}`, handler: () => makeRows(count), hasSchema: true },
  ]);
  return [...ofSizes, ...ofRows];
}
