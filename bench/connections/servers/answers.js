/** What every server of these benches answers, besides a small object at `/`. */

export { CONTENT_TYPE, MESSAGE } from '../../http/servers/workload.js';

export const ALIVE = { status: 'ok' };

/** For clients that read slowly. */
export const LARGE = Buffer.alloc(256 * 1024, 'x');

/** Of Server-Sent Events: time between two of them. */
export const EVENT_MS = 2_000;

/** An event. */
export const event = () => ({ data: { at: Date.now() } });

/** How long a connection may be idle: LoopShard's default. That of node:http, 5 s, would end them while they are counted. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;
