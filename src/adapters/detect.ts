import { type AppDefinition, definitionOf } from '../app/definition.js';
import { type FetchApp, fromFetch } from './from-fetch.js';

/**
 * Makes an app of what a module exports, by its kind: an app of LoopShard, an app with a method `fetch`, a function from `Request` to
 * `Response`. Properties are looked up with `in`, because some apps are proxies that have every property.
 * @returns `undefined` if the value is none of them, or might be several
 */
export function appOf(value: unknown): AppDefinition | undefined {
  return definitionOf(value) ?? (isFetchApp(value) ? definitionOf(fromFetch(value)) : undefined);
}

function isFetchApp(value: unknown): value is FetchApp {
  if (typeof value === 'function') return value.length === 1 || 'fetch' in value;
  return typeof value === 'object' && value !== null && 'fetch' in value;
}

/** Advice for a function that `appOf` does not recognize. */
export function adviceForFunction({ length }: (...args: never[]) => unknown): string {
  if (length === 0) return 'It exports a function: call it, and export the app that it returns.';
  return `It exports a function with ${length} parameters. Say what it is: \`export default fromFetch(…)\` if it returns a \`Response\`, or \`fromNode(…)\` if it takes the request and response of Node.js. Both are exports of \`loopshard/adapters\`.`;
}
