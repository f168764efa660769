/** Runs apps of other frameworks on shards. */
export { type FetchApp, type FetchOptions, fromFetch } from './from-fetch.js';
