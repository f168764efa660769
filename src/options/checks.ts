/* Checks options of servers and routes. Each error says what was wrong, what was expected, and what to do. */
import { inspect } from 'node:util';
import { LoopShardError, type LoopShardErrorCode } from '../errors.js';
import {
  type AdaptivePermits,
  DEFAULT_GROUP,
  DEFAULT_SHED_GRACE_MS,
  DISPATCH_NAMES,
  type Dispatch,
  type Group,
  type GroupOptions,
  type HealthPaths,
  KEY_SOURCES,
  MAX_MS,
  MAX_NICE,
  MAX_PERMITS,
  MAX_TIMEOUT_MS,
  MOST_SHARDS,
  mostShards,
  type Permits,
  PRIORITIES,
  ROUTE_SCHEDULING,
  type RouteScheduling,
  type ShardRange,
  type Shedding,
  type StuckLimits,
} from './scheduling.js';

const DAY_MS = 86_400_000;
/** Default of `shrinkAfterMs`. */
const SHRINK_AFTER_MS = 30_000;

/** Checks values and creates the errors for invalid options of a server or a route. */
export class Subject {
  readonly #code: LoopShardErrorCode;
  readonly #of: string;
  readonly #path: (name: string) => string;

  /**
   * @param of follows the name of the option, such as " of `GET /report`"
   * @param path returns the option as users write it, such as `scheduling.permits`
   */
  constructor(code: LoopShardErrorCode, of = '', path: (name: string) => string = (name) => name) {
    this.#code = code;
    this.#of = of;
    this.#path = path;
  }

  /** Formats the option in backquotes, with what it belongs to. */
  named(name: string): string {
    const [option, ...inside] = name.split('.');
    return `\`${[this.#path(option), ...inside].join('.')}\`${this.#of}`;
  }

  /** @param wanted completes "must be …" */
  invalid(name: string, wanted: string, value: unknown): LoopShardError {
    return this.wrong(`Option ${this.named(name)} must be ${wanted}, got ${show(value)}.`);
  }

  /** @param sentence the whole message */
  wrong(sentence: string): LoopShardError {
    return new LoopShardError(this.#code, sentence);
  }

  integer(name: string, value: unknown, lowest: number, highest: number): number {
    if (Number.isInteger(value) && Number(value) >= lowest && Number(value) <= highest) return Number(value);
    throw this.invalid(name, `an integer from ${lowest} to ${highest}`, value);
  }

  boolean(name: string, value: unknown): boolean {
    if (typeof value === 'boolean') return value;
    throw this.invalid(name, '`true` or `false`', value);
  }

  oneOf<T>(name: string, value: unknown, known: readonly T[]): T {
    if (known.includes(value as T)) return value as T;
    throw this.invalid(name, alternatives(known), value);
  }

  /** Checks that the value is a plain object with `known` keys only. */
  object<T extends object>(name: string, value: T, known: readonly string[]): T {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.invalid(name, `an object with ${alternatives(known)}`, value);
    }
    const unknown = Object.keys(value).find((key) => !known.includes(key));
    if (unknown === undefined) return value;
    throw this.wrong(
      `Unknown option ${this.named(`${name}.${unknown}`)}. Known options of ${this.named(name)}: ${list(known)}.`,
    );
  }
}

/** Formats a value as the user wrote it. The contents of objects are not shown, because they may be secrets. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : inspect(value, { maxStringLength: 100 });
}

/** Formats names in backquotes. */
export function list(names: readonly unknown[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

/** Formats names as "`a`, `b` or `c`". */
export function alternatives(names: readonly unknown[]): string {
  const quoted = names.map((name) => `\`${name}\``);
  return [quoted.slice(0, -1).join(', '), ...quoted.slice(-1)].filter((part) => part !== '').join(' or ');
}

/** @throws LoopShardError */
export function checkDispatch(dispatch: unknown, subject: Subject): Dispatch {
  if (typeof dispatch !== 'object' || dispatch === null) {
    if (DISPATCH_NAMES.includes(dispatch as never)) return dispatch as Dispatch;
    throw subject.invalid('dispatch', `${list(DISPATCH_NAMES)} or \`{ key: { header: 'name' } }\``, dispatch);
  }
  const { key } = subject.object('dispatch', dispatch as { key?: object }, ['key']);
  const [source, ...others] = Object.entries(subject.object('dispatch.key', key as object, KEY_SOURCES));
  if (source === undefined || others.length > 0) {
    throw subject.wrong(
      `Option ${subject.named('dispatch.key')} must have exactly one of ${list(KEY_SOURCES)}, such as \`{ key: { header: 'name' } }\`.`,
    );
  }
  if (typeof source[1] !== 'string' || source[1] === '') {
    throw subject.invalid(`dispatch.key.${source[0]}`, 'a non-empty string', source[1]);
  }
  return dispatch as Dispatch;
}

/** The groups of a server that runs in the calling thread: one shard, which is not replaced. */
export const LOCAL_GROUPS: Group[] = [
  {
    name: DEFAULT_GROUP,
    first: 0,
    count: 1,
    least: 1,
    most: 1,
    stuckAfterMs: 0,
    killStuckAfterMs: 0,
    shrinkAfterMs: SHRINK_AFTER_MS,
  },
];

/**
 * Returns the groups, in order. Without groups, all shards are in `default`.
 * @param limits of groups without their own
 * @throws LoopShardError
 */
export function checkGroups(
  groups: Record<string, number | ShardRange | GroupOptions> | undefined,
  shards: number | ShardRange,
  limits: StuckLimits,
  subject: Subject,
): Group[] {
  if (groups === undefined) {
    const range = checkRange('shards', shards, subject, 0);
    return [{ ...limits, name: DEFAULT_GROUP, first: 0, count: range.most + SPARE, ...range }];
  }
  if (typeof groups !== 'object' || groups === null || Array.isArray(groups)) {
    throw subject.invalid('groups', 'an object such as `{ default: 2, cpu: 2 }`', groups);
  }
  let first = 0;
  const checked = Object.entries(groups).map(([name, value]) => {
    const group = { name, first, ...checkGroup(`groups.${name}`, value, limits, subject) };
    first += group.count;
    return group;
  });
  if (groups[DEFAULT_GROUP] === undefined) {
    throw subject.wrong(
      `Option \`groups\` must include \`${DEFAULT_GROUP}\`, which runs the routes without a group. Add it: \`groups: { ${DEFAULT_GROUP}: 2, … }\`.`,
    );
  }
  const most = mostShards(checked);
  if (most > MOST_SHARDS) {
    throw subject.wrong(`Option \`groups\` must have at most ${MOST_SHARDS} shards in total, got ${most}.`);
  }
  return checked;
}

/** Numbers of a group for replacements of shards that still run: one at a time is replaced. */
const SPARE = 1;
const GROUP_OPTIONS = ['shards', 'stuckAfterMs', 'killStuckAfterMs'] as const satisfies readonly (keyof GroupOptions)[];

function isCount(value: number | ShardRange | GroupOptions): value is number | ShardRange {
  return typeof value !== 'object' || value === null || 'min' in value || 'max' in value;
}

function checkGroup(path: string, value: number | ShardRange | GroupOptions, limits: StuckLimits, subject: Subject) {
  if (isCount(value)) {
    const range = checkRange(path, value, subject);
    return { ...limits, count: range.most + SPARE, ...range };
  }
  const given = subject.object(path, value, GROUP_OPTIONS);
  const range = checkRange(`${path}.shards`, given.shards, subject);
  const ms = (name: keyof StuckLimits) => subject.integer(`${path}.${name}`, given[name] ?? limits[name], 0, MAX_MS);
  return {
    count: range.most + SPARE,
    ...range,
    stuckAfterMs: ms('stuckAfterMs'),
    killStuckAfterMs: ms('killStuckAfterMs'),
  };
}

const RANGE = ['min', 'max', 'shrinkAfterMs'] as const satisfies readonly (keyof ShardRange)[];

/**
 * @param path of the option
 * @param lowest number of shards that is allowed
 */
function checkRange(
  path: string,
  shards: number | ShardRange,
  subject: Subject,
  lowest = 1,
): Pick<Group, 'least' | 'most' | 'shrinkAfterMs'> {
  if (typeof shards !== 'object' || shards === null) {
    const count = subject.integer(path, shards, lowest, MOST_SHARDS);
    return { least: count, most: count, shrinkAfterMs: SHRINK_AFTER_MS };
  }
  const given = subject.object(path, shards, RANGE);
  const least = subject.integer(`${path}.min`, given.min, 1, MOST_SHARDS);
  const most = subject.integer(`${path}.max`, given.max, 1, MOST_SHARDS);
  if (least > most)
    throw subject.wrong(
      `Option ${subject.named(`${path}.min`)} (${least}) must not be greater than ${subject.named(`${path}.max`)} (${most}).`,
    );
  const shrinkAfterMs = subject.integer(`${path}.shrinkAfterMs`, given.shrinkAfterMs ?? SHRINK_AFTER_MS, 100, DAY_MS);
  return { least, most, shrinkAfterMs };
}

/** Initial adaptive permits: low, so that the limiter first learns how long handlers take without load. */
const INITIAL_PERMITS = 20;

/** @throws LoopShardError */
export function checkPermits(permits: number | 'adaptive' | AdaptivePermits, subject: Subject): Permits {
  if (permits !== 'adaptive' && typeof permits !== 'object') {
    if (typeof permits === 'string')
      throw subject.invalid('permits', 'an integer, `adaptive` or `{ min, max }`', permits);
    return { initial: subject.integer('permits', permits, 1, MAX_PERMITS), adaptive: undefined };
  }
  const given = permits === 'adaptive' ? {} : subject.object('permits', permits, ['initial', 'min', 'max']);
  const min = subject.integer('permits.min', given.min ?? 4, 1, MAX_PERMITS);
  const max = subject.integer('permits.max', given.max ?? 1_024, 1, MAX_PERMITS);
  if (min > max)
    throw subject.wrong(
      `Option ${subject.named('permits.min')} (${min}) must not be greater than ${subject.named('permits.max')} (${max}).`,
    );
  const standard = Math.min(max, Math.max(min, INITIAL_PERMITS));
  const initial = subject.integer('permits.initial', given.initial ?? standard, min, max);
  return { initial, adaptive: { min, max } };
}

/** @throws LoopShardError */
export function checkShedding(shed: boolean | Shedding, subject: Subject): Required<Shedding> | undefined {
  if (shed === false) return undefined;
  const given =
    shed === true ? {} : subject.object('shed', shed, ['targetMs', 'intervalMs', 'status', 'retryAfterSeconds']);
  const targetMs = subject.integer('shed.targetMs', given.targetMs ?? 200, 1, 60_000);
  const intervalMs = subject.integer('shed.intervalMs', given.intervalMs ?? Math.max(500, targetMs), 1, 600_000);
  if (targetMs > intervalMs) {
    throw subject.wrong(
      `Option ${subject.named('shed.targetMs')} (${targetMs}) must not be greater than ${subject.named('shed.intervalMs')} (${intervalMs}).`,
    );
  }
  return {
    targetMs,
    intervalMs,
    status: subject.oneOf('shed.status', given.status ?? 503, [503, 429]),
    retryAfterSeconds: subject.integer('shed.retryAfterSeconds', given.retryAfterSeconds ?? 1, 0, 86_400),
  };
}

/** @throws LoopShardError */
export function checkHealth(health: boolean | HealthPaths, subject: Subject): Required<HealthPaths> | undefined {
  if (health === false) return undefined;
  const given = health === true ? {} : subject.object('health', health, ['livez', 'readyz', 'shedGraceMs']);
  const { livez = '/livez', readyz = '/readyz' } = given;
  for (const [name, path] of Object.entries({ livez, readyz })) {
    if (typeof path !== 'string' || !path.startsWith('/'))
      throw subject.invalid(`health.${name}`, 'a path such as `/livez`', path);
  }
  if (livez === readyz)
    throw subject.wrong(
      `Options \`health.livez\` and \`health.readyz\` must be different paths, got ${show(livez)} twice.`,
    );
  return {
    livez,
    readyz,
    shedGraceMs: subject.integer('health.shedGraceMs', given.shedGraceMs ?? DEFAULT_SHED_GRACE_MS, 0, 3_600_000),
  };
}

/** Returns the names of a pattern's parameters, by find-my-way's syntax. */
function parameters(pattern: string): string[] {
  return [...pattern.matchAll(/:([^/:*(?.-]+)/g)].map(([, name]) => name);
}

const TIMEOUTS = ['queueTimeoutMs', 'handlerTimeoutMs'] as const;

/**
 * Checks the scheduling of a route. Only the server knows whether the group exists.
 * @throws LoopShardError
 */
export function checkRouteScheduling(options: RouteScheduling, pattern: string, subject: Subject): RouteScheduling {
  const { group, dispatch, priority, maxConcurrency } = options;
  if (group !== undefined && (typeof group !== 'string' || group === ''))
    throw subject.invalid('group', 'a non-empty string', group);
  if (dispatch !== undefined) checkDispatch(dispatch, subject);
  if (typeof dispatch === 'object' && 'param' in dispatch.key && !parameters(pattern).includes(dispatch.key.param)) {
    throw subject.wrong(
      `Option ${subject.named('dispatch.key.param')} must be a parameter of the pattern \`${pattern}\`, got ${show(dispatch.key.param)}.`,
    );
  }
  if (priority !== undefined) subject.oneOf('priority', priority, PRIORITIES);
  if (maxConcurrency !== undefined) subject.integer('maxConcurrency', maxConcurrency, 1, MAX_PERMITS);
  for (const name of TIMEOUTS) if (options[name] !== undefined) subject.integer(name, options[name], 1, MAX_TIMEOUT_MS);
  const given = ROUTE_SCHEDULING.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

/**
 * Returns the niceness of each group's shards, in the order of the groups.
 * @throws LoopShardError
 */
export function checkNice(
  nice: number | Record<string, number>,
  standard: number,
  groups: readonly Group[],
  subject: Subject,
): number[] {
  if (typeof nice !== 'object') return groups.map(() => subject.integer('shardNice', nice, 0, MAX_NICE));
  const names = groups.map(({ name }) => name);
  const given = subject.object('shardNice', nice, names);
  return names.map((name) => subject.integer(`shardNice.${name}`, given[name] ?? standard, 0, MAX_NICE));
}
