import type { SecureContextOptions } from 'node:tls';

/** News about the shards of one revision: the code of a start or a reload. */
export type ShardNews =
  /**
   * The state of a shard has changed.
   * @param isReplaced requests may wait for another thread of the shard
   * @param isCircuitOpen its threads have ended so often that only one every 10 s is started
   * @param seat on which the shard's share of the keys depends
   */
  | { type: 'state'; shard: number; state: string; isReplaced: boolean; isCircuitOpen: boolean; seat: number }
  /** No thread has replaced the shard's last one yet: requests that wait for it are passed on or rejected. */
  | { type: 'missing'; shard: number }
  /** The thread of the shard was terminated, but is in native code: it keeps its slots until that returns, and clients need not wait. */
  | { type: 'unstoppable'; shard: number }
  /** Some HTTP thread is shedding requests for the shard, or none is any more. */
  | { type: 'shedding'; shard: number; shedding: boolean }
  /** The group has no free permit and no handler settles, or this has ended. */
  | { type: 'stalled'; group: string; stalled: boolean }
  /** Names of the app's health checks that fail on the shard now. */
  | { type: 'checks'; shard: number; failed: readonly string[] }
  /** The limit of a route was changed. */
  | { type: 'permits' };

/** News for all HTTP threads. */
export type HttpNews =
  | { type: 'shard'; revision: number; about: ShardNews }
  /** New connections use these keys and certificates. */
  | { type: 'secureContext'; options: SecureContextOptions }
  /** Each connection closes after its next response, spread over a part of `ms`. */
  | { type: 'leave'; ms: number }
  /** After a drain: stop all activity. */
  | { type: 'stop' }
  /** Close every connection immediately. */
  | { type: 'destroy' };
