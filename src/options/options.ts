/* The internal form of a server's options: without sections, checked, with defaults. */
import type { AdminRules } from './admin.js';
import type { CompressRules } from './compression.js';
import type { FlatOptions } from './flat-options.js';
import type { Listening } from './listening.js';
import type { Logger, LogLevel } from './logger.js';
import type { Group, HealthPaths, Permits, PriorityFunction, Shedding } from './scheduling.js';
import type { ServerTimingRule } from './server-timing.js';
import type { NamesOf } from './table.js';
import type { TrustProxyRule } from './trust-proxy.js';

/** Options that are checked by the table alone. */
type Plain = Exclude<NamesOf<'integer' | 'boolean' | 'choice'>, 'port' | 'ipv6Only' | 'logLevel'>;

/** All options, checked and with defaults. */
export interface ResolvedOptions extends Required<Pick<FlatOptions, Plain | 'dispatch' | 'resourceLimits'>> {
  listening: Listening;
  admin: AdminRules | undefined;
  /** A URL. */
  httpModule: string | undefined;
  groups: Group[];
  /** `shards: 0`: one shard in the calling thread runs all groups. */
  isLocal: boolean;
  /** By group. */
  shardNice: number[];
  permits: Permits;
  shed: Required<Shedding> | undefined;
  health: Required<HealthPaths> | undefined;
  priority: PriorityFunction | undefined;
  env: Record<string, string> | undefined;
  execArgv: readonly string[] | undefined;
  /** URLs. */
  preload: readonly string[];
  serverTiming: ServerTimingRule;
  compress: CompressRules | undefined;
  /** Name of the header in lower case. */
  requestId: string | undefined;
  trustProxy: TrustProxyRule;
  /** Lines of each response head that announce the keep-alive timeout. */
  keepAliveLines: string;
  /** Level of the default log. */
  logLevel: LogLevel;
  logger: Logger | undefined;
}
