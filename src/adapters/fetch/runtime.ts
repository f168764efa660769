import type { ShardRequest } from '../../app/handler.js';
import type { AppRequest } from '../../app/request.js';
import { replaceGlobals, restoreGlobals } from './globals.js';
import { LazyRequest, toNativeRequest } from './request.js';
import { ReceivedRequest } from './request-parts.js';

/** Creates requests for a fetch app. Loaded when a shard starts that has one. Shard only. */
export class FetchRuntime {
  readonly #hasGlobals: boolean;

  /** @param hasGlobals whether our classes stand in for the globals until `end` is called */
  constructor(hasGlobals: boolean) {
    this.#hasGlobals = hasGlobals;
    if (hasGlobals) replaceGlobals();
  }

  /** @param strippedSegments how many segments at the beginning of the path the app does not see */
  request(req: ShardRequest, strippedSegments: number): unknown {
    const request = new LazyRequest(new ReceivedRequest(req as AppRequest, strippedSegments));
    return this.#hasGlobals ? request : toNativeRequest(request);
  }

  end(): void {
    if (this.#hasGlobals) restoreGlobals();
  }
}
