import { checkAdmin } from './admin.js';
import {
  checkDispatch,
  checkGroups,
  checkHealth,
  checkNice,
  checkPermits,
  checkShedding,
  LOCAL_GROUPS,
  Subject,
} from './checks.js';
import { checkCompress } from './compression.js';
import type { FlatOptions } from './flat-options.js';
import { checkHttpThreads, defaultHttpThreads, withSockets } from './http-threads.js';
import { keepAliveLines } from './keep-alive.js';
import { resolveListening } from './listening.js';
import { type Logger, logLevelOf } from './logger.js';
import { moduleUrl } from './module-url.js';
import type { ResolvedOptions } from './options.js';
import { checkRequestId } from './request-id.js';
import { mostShards } from './scheduling.js';
import { flatten } from './sections.js';
import type { ServeOptions } from './serve-options.js';
import { checkServerTiming } from './server-timing.js';
import { defaultShards, entryOf, type NamesOf, OPTION_NAMES, OPTIONS, type OptionName, pathOf } from './table.js';
import { checkTrustProxy } from './trust-proxy.js';

const subject = new Subject('OPTION_INVALID', '', (name) => pathOf(name as OptionName));

/**
 * Checks every option and fills in the defaults.
 * @throws LoopShardError OPTION_UNKNOWN, OPTION_INVALID
 */
export function resolveOptions(options: ServeOptions): ResolvedOptions {
  const given = flatten(options);
  const { port, ipv6Only, ...plain } = resolvePlain(given);
  const { resourceLimits = {}, priority, env, execArgv, logger, httpModule } = given;
  const { shards = defaultShards() } = given;
  const { dispatch = OPTIONS.dispatch.default, permits = OPTIONS.permits.default, shardNice = {} } = given;
  const { shed = OPTIONS.shed.default, health = OPTIONS.health.default } = given;
  const { compress = OPTIONS.compress.default, requestId = OPTIONS.requestId.default } = given;
  const { trustProxy = OPTIONS.trustProxy.default, serverTiming = OPTIONS.serverTiming.default } = given;
  const listening = resolveListening(given, port);
  checkLimits(resourceLimits);
  if (priority !== undefined && typeof priority !== 'function') {
    throw subject.invalid('priority', 'a function of method and path', priority);
  }
  if (env !== undefined) checkEnv(env);
  if (execArgv !== undefined && !(Array.isArray(execArgv) && execArgv.every((flag) => typeof flag === 'string'))) {
    throw subject.invalid('execArgv', 'an array of strings', execArgv);
  }
  checkLogger(logger);
  const httpThreads = given.httpThreads ?? defaultHttpThreads(given);
  checkHttpThreads(httpThreads, given);
  if (httpModule !== undefined && typeof httpModule !== 'string' && !(httpModule instanceof URL)) {
    throw subject.invalid('httpModule', 'a path or a URL', httpModule);
  }
  const isLocal = shards === 0;
  const groups = isLocal ? LOCAL_GROUPS : checkGroups(given.groups, shards, plain, subject);
  const resolved: ResolvedOptions = {
    ...plain,
    httpThreads,
    listening: withSockets(listening, httpThreads),
    admin: checkAdmin(given.admin, subject),
    httpModule: httpModule && moduleUrl(httpModule, 'the module that HTTP threads load'),
    resourceLimits,
    env,
    execArgv,
    preload: checkPreload(given.preload),
    priority,
    logger,
    logLevel: logLevelOf(plain),
    dispatch: checkDispatch(dispatch, subject),
    groups,
    isLocal,
    shardNice: checkNice(shardNice, OPTIONS.shardNice.default, groups, subject),
    permits: checkPermits(permits, subject),
    shed: checkShedding(shed, subject),
    health: checkHealth(health, subject),
    compress: checkCompress(compress, subject),
    requestId: checkRequestId(requestId, subject),
    trustProxy: checkTrustProxy(trustProxy, subject),
    serverTiming: checkServerTiming(serverTiming, subject),
    keepAliveLines: keepAliveLines(plain),
  };
  checkTogether(given, resolved);
  return resolved;
}

type Plain = Required<Pick<FlatOptions, Exclude<NamesOf<'integer' | 'boolean' | 'choice'>, 'logLevel'>>> &
  Pick<FlatOptions, 'logLevel'>;

/** Checks the options that the table describes completely. `httpThreads` and `logLevel` are absent unless given. */
function resolvePlain(given: FlatOptions): Plain {
  const values: Partial<Record<OptionName, unknown>> = {};
  for (const name of OPTION_NAMES) {
    const entry = entryOf(name);
    if (entry.kind === 'other') continue;
    const { [name]: value = entry.default } = given;
    if (value === undefined) continue;
    if (entry.kind === 'integer') values[name] = subject.integer(name, value, entry.lowest, entry.highest);
    else if (entry.kind === 'boolean') values[name] = subject.boolean(name, value);
    else values[name] = subject.oneOf(name, value, entry.values);
  }
  return values as Plain;
}

/** Checks options that restrict each other. */
function checkTogether(given: FlatOptions, options: ResolvedOptions): void {
  const { maxTargetBytes, maxHeadBytes, maxQueue, batch, shed, queueTimeoutMs, groups, park } = options;
  if (given.shards !== undefined && given.groups !== undefined && !options.isLocal) {
    throw subject.wrong('Set either `shards` or `groups`, not both.');
  }
  if (maxTargetBytes > maxHeadBytes) {
    throw subject.wrong(
      `Option ${subject.named('maxTargetBytes')} (${maxTargetBytes}) must not be greater than ${subject.named('maxHeadBytes')} (${maxHeadBytes}), which includes the target.`,
    );
  }
  if (maxQueue < batch) {
    throw subject.wrong(
      `Option ${subject.named('maxQueue')} (${maxQueue}) must not be less than ${subject.named('batch')} (${batch}).`,
    );
  }
  checkSlots(options);
  if (park === 'sync' && groups.some(({ least, most }) => least < most)) {
    throw subject.wrong(
      `A range of shards needs ${subject.named('park')} \`async\`: a shard that blocks while it sleeps seems busy. Set a number of shards.`,
    );
  }
  if (shed !== undefined && queueTimeoutMs > 0 && queueTimeoutMs <= shed.targetMs) {
    throw subject.wrong(
      `Option ${subject.named('queueTimeoutMs')} (${queueTimeoutMs}) must be greater than ${subject.named('shed.targetMs')} (${shed.targetMs}); otherwise requests time out before shedding can start.`,
    );
  }
}

/** Checks that each HTTP thread gets at least two slots; with several groups, two of each shard. */
function checkSlots({ slots, groups, httpThreads }: ResolvedOptions): void {
  const shards = groups.length > 1 ? mostShards(groups) : 1;
  const least = 2 * httpThreads * shards;
  if (slots >= least) return;
  const users = [
    ...(httpThreads > 1 ? [`${httpThreads} HTTP threads`] : []),
    ...(groups.length > 1 ? [`${shards} shards in groups`] : []),
  ];
  throw subject.wrong(
    `Option ${subject.named('slots')} must be at least ${least} for ${users.join(' and ')}, got ${slots}.`,
  );
}

const LIMITS = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', 'stackSizeMb'] as const;

function checkLimits(limits: NonNullable<FlatOptions['resourceLimits']>): void {
  const given = subject.object('resourceLimits', limits, LIMITS);
  for (const name of LIMITS) {
    const value = given[name];
    if (value !== undefined && !(typeof value === 'number' && value > 0)) {
      throw subject.invalid(`resourceLimits.${name}`, 'a number of MiB greater than 0', value);
    }
  }
}

function checkEnv(env: Record<string, string>): void {
  if (typeof env !== 'object' || env === null || Array.isArray(env)) {
    throw subject.invalid('env', 'an object of strings', env);
  }
  const wrong = Object.entries(env).find(([, value]) => typeof value !== 'string');
  if (wrong !== undefined) throw subject.invalid(`env.${wrong[0]}`, 'a string', wrong[1]);
}

/** @throws LoopShardError OPTION_INVALID, MODULE_NOT_FOUND */
function checkPreload(preload: FlatOptions['preload']): string[] {
  if (preload === undefined) return [];
  const modules: readonly unknown[] = Array.isArray(preload) ? preload : [preload];
  const wrong = modules.find((one) => typeof one !== 'string' && !(one instanceof URL));
  if (wrong !== undefined) throw subject.invalid('preload', 'a path or a URL, or an array of them', wrong);
  return modules.map((one) => moduleUrl(one as string | URL, 'a module that each shard imports before your app'));
}

function checkLogger(logger: Logger | undefined): void {
  if (logger === undefined) return;
  const missing = (['error', 'warn', 'info'] as const).find((method) => typeof logger?.[method] !== 'function');
  if (missing === undefined) return;
  throw subject.wrong(
    `Option \`logger\` must have the methods \`error\`, \`warn\` and \`info\`; \`${missing}\` is not a function.`,
  );
}
