import type { SecureContextOptions } from 'node:tls';

/** What all HTTP threads are told as it happens. */
export type HttpNews =
  /**
   * A shard is in another state of its life.
   * @param isReplaced requests may wait for another thread of the shard
   */
  | { type: 'state'; shard: number; state: string; isReplaced: boolean }
  /** No other thread could take the place of the shard's last one yet: requests that wait for it are passed on or refused. */
  | { type: 'missing'; shard: number }
  /** Some HTTP thread sheds requests for the shard, or none does any more. */
  | { type: 'shedding'; shard: number; shedding: boolean }
  /** All permits of the group are taken and nothing settles, or that is over. */
  | { type: 'stalled'; group: string; stalled: boolean }
  /** The limit of a route was changed. */
  | { type: 'permits' }
  /** New connections use other keys and certificates. */
  | { type: 'secureContext'; options: SecureContextOptions }
  /** Each connection ends behind its next answer, over a part of `ms`. */
  | { type: 'leave'; ms: number }
  /** Behind a drain: nothing happens any more. */
  | { type: 'stop' }
  /** Every connection is cut off. */
  | { type: 'destroy' };
