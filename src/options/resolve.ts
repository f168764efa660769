import { availableParallelism } from 'node:os';
import {
  MAX_BATCH,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_HTTP_THREADS,
  MAX_SHARDS,
  MAX_SLOT_BYTES,
  MAX_SLOTS,
  MIN_SLOT_BYTES,
} from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import { checkDispatch, checkGroups, checkHealth, checkNice, checkPermits, checkShedding, Subject } from './checks.js';
import { checkCompress } from './compression.js';
import { checkHttpThreads, defaultHttpThreads } from './http-threads.js';
import { keepAliveLines } from './keep-alive.js';
import { resolveListening } from './listening.js';
import { moduleUrl } from './module-url.js';
import type { Logger, ResolvedOptions, ServeOptions } from './options.js';
import { checkRequestId } from './request-id.js';
import { MAX_NICE, MAX_PERMITS, MAX_TIMEOUT_MS } from './scheduling.js';
import { checkTrustProxy } from './trust-proxy.js';

/** Lowest, highest, default. */
const INTEGERS = {
  port: [0, 65_535, 8000],
  shards: [1, MAX_SHARDS, Math.min(16, availableParallelism())],
  batch: [1, MAX_BATCH, 256],
  maxQueue: [1, 65_536, 4_096],
  queueTimeoutMs: [0, MAX_TIMEOUT_MS, 0],
  handlerTimeoutMs: [0, MAX_TIMEOUT_MS, 0],
  slots: [2, MAX_SLOTS, 4_096],
  slotBytes: [MIN_SLOT_BYTES, MAX_SLOT_BYTES, 16_384],
  extentBytes: [2 ** 21, 2 ** 30, 384 * 2 ** 20],
  bodyLimitBytes: [0, 2 ** 30, 2 ** 20],
  responseLimitBytes: [0, 2 ** 31 - 1, 64 * 2 ** 20],
  maxTargetBytes: [1, 32_768, 8_192],
  maxHeadBytes: [256, MAX_HEAD_BYTES, 16_384 + 8_192],
  maxHeaderFields: [1, MAX_FIELDS, 100],
  drainDelayMs: [0, 2 ** 31 - 1, 0],
  headersTimeoutMs: [1, 2 ** 31 - 1, 10_000],
  requestTimeoutMs: [1, 2 ** 31 - 1, 60_000],
  keepAliveTimeoutMs: [1, 2 ** 31 - 1, 65_000],
  sendTimeoutMs: [1, 2 ** 31 - 1, 30_000],
  lingerTimeoutMs: [1, 2 ** 31 - 1, 30_000],
  maxConnections: [1, 2 ** 20, 16_384],
  maxStreams: [1, 2 ** 20, 16_384],
  maxRequestsPerConnection: [0, 2 ** 31 - 1, 0],
  maxBufferedBytes: [0, 2 ** 31 - 1, 2 ** 20],
  closeTimeoutMs: [0, 2 ** 31 - 1, 10_000],
  startTimeoutMs: [0, 2 ** 31 - 1, 60_000],
  stuckAfterMs: [0, 2 ** 31 - 1, 10_000],
  maxRestarts: [0, 1_000_000, 5],
  maxAbandoned: [0, 1_000_000, 512],
  stalledAfterMs: [0, 2 ** 31 - 1, 30_000],
} as const satisfies Partial<Record<keyof ServeOptions, readonly [number, number, number]>>;

type IntegerOption = keyof typeof INTEGERS;
export type RangeOption = IntegerOption | keyof typeof OTHER_INTEGERS;

const subject = new Subject('OPTION_INVALID');

const OTHERS = [
  'host',
  'httpModule',
  'httpThreads',
  'ipv6Only',
  'path',
  'fd',
  'tls',
  'accessLog',
  'abortOnHalfClose',
  'groups',
  'permits',
  'dispatch',
  'steal',
  'shed',
  'priority',
  'health',
  'compress',
  'requestId',
  'trustProxy',
  'shardNice',
  'park',
  'resourceLimits',
  'onUncaught',
  'env',
  'execArgv',
  'logger',
];

/** The same, of options that may be something else than an integer too. */
const OTHER_INTEGERS = {
  permits: [1, MAX_PERMITS, 512],
  shardNice: [0, MAX_NICE, 0],
  httpThreads: [1, MAX_HTTP_THREADS, 1],
} as const;

/** Lowest, highest and default of the options that are integers. */
export function integerRange(name: RangeOption): readonly [number, number, number] {
  return { ...INTEGERS, ...OTHER_INTEGERS }[name];
}

/**
 * Checks every option and fills in the defaults.
 * @throws LoopShardError OPTION_UNKNOWN, OPTION_INVALID
 */
export function resolveOptions(options: ServeOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (name in INTEGERS || OTHERS.includes(name)) continue;
    throw new LoopShardError(
      'OPTION_UNKNOWN',
      `There is no option ${name}; the options are ${[...Object.keys(INTEGERS), ...OTHERS].join(', ')}.`,
    );
  }
  const integers = Object.fromEntries(
    (Object.keys(INTEGERS) as IntegerOption[]).map((name) => [name, integer(name, options[name])]),
  ) as Record<IntegerOption, number>;
  const {
    abortOnHalfClose = false,
    park = 'async',
    onUncaught = 'replace',
    steal = true,
    resourceLimits = {},
    accessLog = false,
    priority,
    env,
    execArgv,
    logger,
    httpModule,
  } = options;
  const listening = resolveListening(options, integers.port);
  subject.oneOf('park', park, ['async', 'sync']);
  subject.oneOf('onUncaught', onUncaught, ['replace', 'exit', 'continue']);
  subject.oneOf('steal', steal, [true, false]);
  subject.oneOf('accessLog', accessLog, [true, false]);
  subject.oneOf('abortOnHalfClose', abortOnHalfClose, [true, false]);
  checkLimits(resourceLimits);
  if (priority !== undefined && typeof priority !== 'function') {
    throw subject.invalid('priority', 'a function of method and path', priority);
  }
  if (env !== undefined) checkEnv(env);
  if (execArgv !== undefined && !(Array.isArray(execArgv) && execArgv.every((flag) => typeof flag === 'string'))) {
    throw subject.invalid('execArgv', 'an array of strings', execArgv);
  }
  checkLogger(logger);
  const httpThreads = resolveHttpThreads(options);
  if (httpModule !== undefined && typeof httpModule !== 'string' && !(httpModule instanceof URL)) {
    throw subject.invalid('httpModule', 'a path or a URL', httpModule);
  }
  const groups = checkGroups(options.groups, integers.shards, subject);
  const resolved: ResolvedOptions = {
    ...integers,
    httpThreads,
    listening: httpThreads > 1 ? { ...listening, target: { ...listening.target, reusePort: true } } : listening,
    httpModule: httpModule && moduleUrl(httpModule, 'the module that HTTP threads load'),
    accessLog,
    abortOnHalfClose,
    park,
    onUncaught,
    steal,
    resourceLimits,
    env,
    execArgv,
    priority,
    logger,
    dispatch: checkDispatch(options.dispatch ?? 'least-loaded', subject),
    groups,
    shardNice: checkNice(options.shardNice ?? {}, OTHER_INTEGERS.shardNice[2], groups, subject),
    permits: checkPermits(options.permits ?? OTHER_INTEGERS.permits[2], subject),
    shed: checkShedding(options.shed ?? false, subject),
    health: checkHealth(options.health ?? false, subject),
    compress: checkCompress(options.compress ?? false, subject),
    requestId: checkRequestId(options.requestId ?? false, subject),
    trustProxy: checkTrustProxy(options.trustProxy ?? false, subject),
    keepAliveLines: keepAliveLines(integers),
  };
  checkTogether(options, resolved);
  return resolved;
}

/** What each option allows, and others contradict. */
function checkTogether(given: ServeOptions, options: ResolvedOptions): void {
  const { maxTargetBytes, maxHeadBytes, maxQueue, batch, slots, groups, shed, queueTimeoutMs, httpThreads } = options;
  if (given.shards !== undefined && given.groups !== undefined) {
    throw subject.wrong('The options shards and groups both say how many shards there are; leave one of them out.');
  }
  if (maxTargetBytes > maxHeadBytes) {
    throw subject.wrong(
      `maxTargetBytes (${maxTargetBytes}) is more than maxHeadBytes (${maxHeadBytes}), which includes it; raise the one or lower the other.`,
    );
  }
  if (maxQueue < batch) {
    throw subject.wrong(
      `maxQueue (${maxQueue}) is less than batch (${batch}), which a shard claims from it at once; raise the one or lower the other.`,
    );
  }
  const shards = groups.reduce((sum, { count }) => sum + count, 0);
  if (slots < 2 * httpThreads * (groups.length > 1 ? shards : 1) && httpThreads > 1) {
    throw subject.wrong(
      `${slots} slots are too few for ${httpThreads} HTTP threads, each of which needs two${groups.length > 1 ? ` for each of ${shards} shards` : ''}; raise \`slots\`.`,
    );
  }
  if (groups.length > 1 && slots < 2 * shards) {
    throw subject.wrong(`${slots} slots are too few for ${shards} shards in groups; give each shard two at the least.`);
  }
  if (shed !== undefined && queueTimeoutMs > 0 && queueTimeoutMs <= shed.targetMs) {
    throw subject.wrong(
      `queueTimeoutMs (${queueTimeoutMs}) ends every wait before shed.targetMs (${shed.targetMs}) can be exceeded; raise the one or lower the other.`,
    );
  }
}

function resolveHttpThreads(options: ServeOptions): number {
  const { httpThreads } = options;
  if (httpThreads === undefined) return defaultHttpThreads(options);
  const [lowest, highest] = OTHER_INTEGERS.httpThreads;
  checkHttpThreads(subject.integer('httpThreads', httpThreads, lowest, highest), options);
  return httpThreads;
}

function integer(name: IntegerOption, value: number | undefined): number {
  const [lowest, highest, standard] = INTEGERS[name];
  return value === undefined ? standard : subject.integer(name, value, lowest, highest);
}

const LIMITS = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', 'stackSizeMb'] as const;

function checkLimits(limits: NonNullable<ServeOptions['resourceLimits']>): void {
  const given = subject.object('resourceLimits', limits, LIMITS);
  for (const name of LIMITS) {
    const value = given[name];
    if (value !== undefined && !(typeof value === 'number' && value > 0)) {
      throw subject.invalid(`resourceLimits.${name}`, 'a number of MiB above 0', value);
    }
  }
}

function checkEnv(env: Record<string, string>): void {
  const isRecord = typeof env === 'object' && env !== null && !Array.isArray(env);
  if (!isRecord || !Object.values(env).every((value) => typeof value === 'string')) {
    throw subject.invalid('env', 'an object of strings', env);
  }
}

function checkLogger(logger: Logger | undefined): void {
  if (logger === undefined) return;
  for (const method of ['error', 'warn', 'info'] as const) {
    if (typeof logger?.[method] !== 'function')
      throw subject.invalid('logger', `a logger with a method ${method}`, logger);
  }
}
