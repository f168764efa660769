import { inspect, types } from 'node:util';
import { definitionOf } from '../app/definition.js';
import { LoopShardError } from '../errors.js';

/** Whether a function can only be called with `new`. */
export function isClass(value: (...args: never[]) => unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

/**
 * Creates the error for a value that is not an app.
 * @param wrapper that got it, such as `fromNode()`
 * @param expected what the wrapper takes
 */
export function wrongApp(wrapper: string, expected: string, value: unknown): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `\`${wrapper}\` expects ${expected}, got ${describeWrong(value)}.`);
}

function describeWrong(value: unknown): string {
  if (definitionOf(value) !== undefined) {
    return 'an app of LoopShard. It needs no wrapper: export it, or pass it to `app.mount()`';
  }
  if (types.isPromise(value)) return 'a promise. Await it';
  if (typeof value === 'function' && isClass(value as never))
    return `the class \`${value.name}\`. Create an instance of it`;
  return inspect(value, { depth: 0 });
}
