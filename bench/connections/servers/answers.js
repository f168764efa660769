/** Responses of every server of these benches, in addition to a small object at `/`. */

export { CONTENT_TYPE, MESSAGE } from '../../http/servers/workload.js';

export const ALIVE = { status: 'ok' };

/** The response for clients that read slowly. */
export const LARGE = Buffer.alloc(256 * 1024, 'x');

/** Interval of Server-Sent Events. */
export const EVENT_MS = 2_000;

/** The data of an event. */
export const event = () => ({ data: { at: Date.now() } });

/** Keep-alive timeout: LoopShard's default. With node:http's default of 5 s, connections would end while they are counted. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;
