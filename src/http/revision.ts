import type { Readiness } from './readiness.js';
import type { Scheduler } from './scheduler.js';
import type { Shards } from './shards.js';

/** What an HTTP thread has for the code of one start or reload: shards with a shared memory of their own. */
export interface Revision {
  /** 0 for that of the start. */
  readonly number: number;
  readonly shards: Shards;
  readonly readiness: Readiness;
  /** Once it is prepared for requests. */
  scheduler: Scheduler | undefined;
}
