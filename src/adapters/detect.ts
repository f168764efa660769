import { inspect } from 'node:util';
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
export function adviceForFunction(given: (...args: never[]) => unknown): string {
  const name = given.name === '' ? 'a function' : `the function ${inspect(given.name)}`;
  return `It exports ${name} with ${given.length} parameters. If it creates the app, call it and export what it returns. Otherwise say what it is: \`export default fromFetch(…)\` for a function from \`Request\` to \`Response\`, \`fromNode(…)\` for one that takes Node.js's request and response, both from \`loopshard/adapters\`.`;
}
