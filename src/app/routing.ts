import type FindMyWay from 'find-my-way';
import { lazily } from '../core/lazily.js';
import { requireCompiling } from '../core/runtime.js';

const findMyWay = lazily<typeof FindMyWay>('find-my-way');

/** Longer parameters do not match; the limit of the request target is lower anyway. */
const MAX_PARAM_LENGTH = 65_536;

/**
 * A find-my-way router as the HTTP thread and the shards both use it, so that they agree on every path.
 * @throws LoopShardError RUNTIME_UNSUPPORTED: find-my-way compiles its routers
 */
export function createRouter(options: FindMyWay.Config<FindMyWay.HTTPVersion.V1> = {}) {
  requireCompiling();
  return findMyWay()<FindMyWay.HTTPVersion.V1>({ maxParamLength: MAX_PARAM_LENGTH, ...options });
}
