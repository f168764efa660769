/* The options of a server inside: without sections, checked, with defaults. */
import type { CompressRules } from './compression.js';
import type { FlatOptions } from './flat-options.js';
import type { Listening } from './listening.js';
import type { Logger, LogLevel } from './logger.js';
import type { Group, HealthPaths, Permits, PriorityFunction, Shedding } from './scheduling.js';
import type { NamesOf } from './table.js';
import type { TrustProxyRule } from './trust-proxy.js';

/** The options that the table alone describes, which are checked alike. */
type Plain = Exclude<NamesOf<'integer' | 'boolean' | 'choice'>, 'port' | 'shards' | 'ipv6Only' | 'logLevel'>;

/** Every option, checked and with its default. */
export interface ResolvedOptions extends Required<Pick<FlatOptions, Plain | 'dispatch' | 'resourceLimits'>> {
  listening: Listening;
  /** URL. */
  httpModule: string | undefined;
  groups: Group[];
  /** One shard runs all groups, in the calling thread. */
  isLocal: boolean;
  /** Of each group. */
  shardNice: number[];
  permits: Permits;
  shed: Required<Shedding> | undefined;
  health: Required<HealthPaths> | undefined;
  priority: PriorityFunction | undefined;
  env: Record<string, string> | undefined;
  execArgv: readonly string[] | undefined;
  compress: CompressRules | undefined;
  /** Name of the field in lower case. */
  requestId: string | undefined;
  trustProxy: TrustProxyRule;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  /** Of the log without `logger`. */
  logLevel: LogLevel;
  logger: Logger | undefined;
}
