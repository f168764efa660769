import { inspect } from 'node:util';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { Subject } from '../options/checks.js';
import type { ShardInfo } from './handler.js';

/** What a health check is told. */
export interface HealthCheckInfo extends ShardInfo {
  /** Aborted when the check has taken longer than `timeoutMs`. */
  readonly signal: AbortSignal;
}

/** Checks something that the app needs. It fails if it throws, rejects, returns `false`, or takes longer than `timeoutMs`. */
export type HealthCheck = (info: HealthCheckInfo) => unknown;

/** When a health check runs. */
export interface HealthCheckOptions {
  /** Time between the end of a run and the next one, 100 to 86,400,000 ms. Default 5,000. */
  intervalMs?: number;
  /** How long a run may take, 1 to 600,000 ms. Default 2,000. */
  timeoutMs?: number;
  /**
   * Failures in a row after which the shard is replaced by one that starts beside it, 2 to 1,000; 0 disables this. Default 0. For what a new thread
   * repairs, such as a broken cache; not for a database that is down. With `shards: 0` it has no effect.
   */
  replaceAfter?: number;
}

/** A health check as it was added. */
export interface HealthCheckDefinition extends Required<HealthCheckOptions> {
  name: string;
  check: HealthCheck;
}

const DEFAULT_NAME = 'app';
/** Names are in `/readyz` and in logs. */
const NAME = /^[\w.-]{1,64}$/;
const DEFAULT_INTERVAL_MS = 5_000;
const DEFAULT_TIMEOUT_MS = 2_000;
const MAX_INTERVAL_MS = 86_400_000;
const MAX_TIMEOUT_MS = 600_000;
/** After one failure, a shard that fails from the start would be replaced over and over. */
const MIN_FAILURES = 2;
const MAX_FAILURES = 1_000;
const OPTIONS: readonly (keyof HealthCheckOptions)[] = ['intervalMs', 'timeoutMs', 'replaceAfter'];

/**
 * Parses the arguments of `app.health()`: a name and options, both optional, and the check.
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN
 */
export function healthArguments(given: readonly unknown[]): HealthCheckDefinition {
  const check = given.at(-1);
  const [name, options = {}] = given.length > 1 ? given.slice(0, -1) : [DEFAULT_NAME];
  if (typeof check !== 'function' || given.length > 3) {
    throw wrong(`expects \`health(check)\` or \`health(name, options, check)\`, got ${shown(given)}`);
  }
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw wrong(
      `expects a name of up to 64 letters, digits, \`.\`, \`_\` and \`-\`, such as \`database\`, got ${inspect(name)}`,
    );
  }
  if (typeof options !== 'object' || options === null) throw wrong(`expects options, got ${inspect(options)}`);
  const owner = `\`app.health('${name}')\``;
  checkOptionNames(options, OPTIONS, owner);
  const subject = new Subject('OPTION_INVALID', ` of ${owner}`);
  const {
    intervalMs = DEFAULT_INTERVAL_MS,
    timeoutMs = DEFAULT_TIMEOUT_MS,
    replaceAfter = 0,
  } = options as HealthCheckOptions;
  return {
    name,
    check: check as HealthCheck,
    intervalMs: subject.integer('intervalMs', intervalMs, 100, MAX_INTERVAL_MS),
    timeoutMs: subject.integer('timeoutMs', timeoutMs, 1, MAX_TIMEOUT_MS),
    replaceAfter: replaceAfter === 0 ? 0 : subject.integer('replaceAfter', replaceAfter, MIN_FAILURES, MAX_FAILURES),
  };
}

/** Two checks with the same name could not be told apart. */
export function duplicateCheck(name: string): LoopShardError {
  return wrong(
    `was already called for a check named \`${name}\`. Give each check a name of its own, such as \`app.health('database', check)\``,
  );
}

function wrong(rest: string): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `\`app.health()\` ${rest}.`);
}

function shown(given: readonly unknown[]): string {
  return `(${given.map((one) => (typeof one === 'function' ? 'a function' : inspect(one, { depth: 0 }))).join(', ')})`;
}
