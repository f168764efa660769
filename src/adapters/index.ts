/**
 * Runs apps of other frameworks on shards.
 * @module loopshard/adapters
 */

export { type FetchApp, type FetchOptions, fromFetch } from './from-fetch.js';
export { fromNode, type NodeApp, type NodeOptions } from './from-node.js';
