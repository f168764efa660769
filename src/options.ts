import { availableParallelism } from 'node:os';
import {
  MAX_BATCH,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_SHARDS,
  MAX_SLOT_BYTES,
  MAX_SLOTS,
  MIN_SLOT_BYTES,
} from '../assembly/layout.js';
import { LoopShardError } from './errors.js';
import { type ListenChoice, type Listening, resolveListening } from './http/listen.js';
import { DISPATCH_POLICIES, type DispatchName } from './pool/dispatch.js';

/** What errors, and requests with `accessLog`, are logged to. A pino logger is one. */
export interface Logger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

export interface ServeOptions extends ListenChoice {
  /** Worker threads that run handlers, 1 to 64. Default `max(1, min(16, availableParallelism() − 1))`. */
  shards?: number;
  /** Handlers that may be in flight on each shard, 1 to 65,536. Default 512. */
  permits?: number;
  /** Requests that a shard claims at once at the most, 1 to 1,024. Default 256. */
  batch?: number;
  /** How a request's shard is chosen. Default `least-loaded`: the fewest outstanding requests, ties in turn. */
  dispatch?: DispatchName;
  /** Requests in hand at the most, queued ones included, 2 to 65,536; further ones get 503. Default 4,096. */
  slots?: number;
  /**
   * Shared memory for each slot, 2,048 to 1,048,576 bytes. A request takes half of it at the most, and its response the
   * rest; what is larger goes by transfer. Default 16,384.
   */
  slotBytes?: number;
  /** Request body at the most, 0 to 1 GiB; a larger one gets 413. Default 1 MiB. */
  bodyLimitBytes?: number;
  /** Response body at the most, up to 2 GiB − 1; for a larger one the client gets 500. Default 64 MiB. */
  responseLimitBytes?: number;
  /** Request target at the most, 1 to 32,768 bytes; a longer one gets 414. Default 8,192. */
  maxTargetBytes?: number;
  /** Target and header fields together at the most, up to 65,535 bytes; larger ones get 431. Default 16,384 + 8,192. */
  maxHeadBytes?: number;
  /** Header fields at the most, 1 to 256; more get 431. Default 100. */
  maxHeaderFields?: number;
  /**
   * Time for a request's head, in milliseconds, from its first byte on; then the client gets 408. A new connection that
   * sends nothing is closed after the same time. Default 10,000.
   */
  headersTimeoutMs?: number;
  /** Time for a whole request, from its first byte on; then the client gets 408. Default 60,000. */
  requestTimeoutMs?: number;
  /** How long a connection may be idle between two requests before it is closed. Default 65,000. */
  keepAliveTimeoutMs?: number;
  /** How long a client may take nothing of an answer before it is cut off. Default 30,000. */
  sendTimeoutMs?: number;
  /** Connections at the most, 1 to 1,048,576; further ones are closed at once. Default 16,384. */
  maxConnections?: number;
  /** Requests on one connection, which is closed behind the last one; 0, the default, for any number. */
  maxRequestsPerConnection?: number;
  /** Bytes of answers that may wait for a client before no more of its requests are read. Default 1 MiB. */
  maxBufferedBytes?: number;
  /** How shards sleep. `async` leaves timers and sockets of handlers alive; `sync` is for handlers without any. */
  park?: 'async' | 'sync';
  /** How long `close()` waits for requests in hand before it cuts them off, in milliseconds. Default 10,000. */
  closeTimeoutMs?: number;
  /** V8 limits of each shard; one that exceeds them ends, and is replaced. Default: V8's own. */
  resourceLimits?: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
  /** A line at level `info` for each request that is answered. Default `false`. */
  accessLog?: boolean;
  /** Default: pino, to standard error, from level `warn` on, with `accessLog` from `info` on. */
  logger?: Logger;
}

export type ResolvedOptions = Required<Omit<ServeOptions, 'logger' | keyof ListenChoice>> & {
  listening: Listening;
  logger: Logger | undefined;
};

/** Lowest, highest, default. */
const INTEGERS = {
  port: [0, 65_535, 8000],
  shards: [1, MAX_SHARDS, Math.max(1, Math.min(16, availableParallelism() - 1))],
  permits: [1, 65_536, 512],
  batch: [1, MAX_BATCH, 256],
  slots: [2, MAX_SLOTS, 4_096],
  slotBytes: [MIN_SLOT_BYTES, MAX_SLOT_BYTES, 16_384],
  bodyLimitBytes: [0, 2 ** 30, 2 ** 20],
  responseLimitBytes: [0, 2 ** 31 - 1, 64 * 2 ** 20],
  maxTargetBytes: [1, 32_768, 8_192],
  maxHeadBytes: [256, MAX_HEAD_BYTES, 16_384 + 8_192],
  maxHeaderFields: [1, MAX_FIELDS, 100],
  headersTimeoutMs: [1, 2 ** 31 - 1, 10_000],
  requestTimeoutMs: [1, 2 ** 31 - 1, 60_000],
  keepAliveTimeoutMs: [1, 2 ** 31 - 1, 65_000],
  sendTimeoutMs: [1, 2 ** 31 - 1, 30_000],
  maxConnections: [1, 2 ** 20, 16_384],
  maxRequestsPerConnection: [0, 2 ** 31 - 1, 0],
  maxBufferedBytes: [0, 2 ** 31 - 1, 2 ** 20],
  closeTimeoutMs: [0, 2 ** 31 - 1, 10_000],
} as const satisfies Partial<Record<keyof ServeOptions, readonly [number, number, number]>>;

type IntegerOption = keyof typeof INTEGERS;

const OTHERS = ['host', 'ipv6Only', 'path', 'fd', 'tls', 'accessLog', 'dispatch', 'park', 'resourceLimits', 'logger'];

/** Lowest, highest and default of the options that are integers. */
export function integerRange(name: IntegerOption): readonly [number, number, number] {
  return INTEGERS[name];
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
  const { dispatch = 'least-loaded', park = 'async', resourceLimits = {}, accessLog = false, logger } = options;
  const listening = resolveListening(options, integers.port);
  oneOf('dispatch', dispatch, Object.keys(DISPATCH_POLICIES));
  oneOf('park', park, ['async', 'sync']);
  if (typeof resourceLimits !== 'object' || resourceLimits === null) {
    throw invalid('resourceLimits', 'an object', resourceLimits);
  }
  if (typeof accessLog !== 'boolean') throw invalid('accessLog', 'true or false', accessLog);
  checkLogger(logger);
  if (integers.maxTargetBytes > integers.maxHeadBytes) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `maxTargetBytes (${integers.maxTargetBytes}) is more than maxHeadBytes (${integers.maxHeadBytes}), which includes it; raise the one or lower the other.`,
    );
  }
  return { ...integers, listening, dispatch, park, resourceLimits, accessLog, logger };
}

function integer(name: IntegerOption, value: number | undefined): number {
  const [lowest, highest, standard] = INTEGERS[name];
  if (value === undefined) return standard;
  if (Number.isInteger(value) && value >= lowest && value <= highest) return value;
  throw invalid(name, `an integer from ${lowest} to ${highest}`, value);
}

function oneOf(name: string, value: string, known: string[]): void {
  if (!known.includes(value)) throw invalid(name, `one of ${known.join(', ')}`, value);
}

function checkLogger(logger: Logger | undefined): void {
  if (logger === undefined) return;
  for (const method of ['error', 'warn', 'info'] as const) {
    if (typeof logger?.[method] !== 'function') throw invalid('logger', `a logger with a method ${method}`, logger);
  }
}

function invalid(name: string, wanted: string, value: unknown): LoopShardError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new LoopShardError('OPTION_INVALID', `The option ${name} must be ${wanted}, not ${shown}.`);
}
