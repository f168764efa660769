import FindMyWay from 'find-my-way';
import { requireCompiling } from '../core/runtime.js';

/** Longer parameters do not match; the limit of the request target is lower anyway. */
const MAX_PARAM_LENGTH = 65_536;

/**
 * A find-my-way router as the HTTP thread and the shards both use it, so that they agree on every path.
 * @throws LoopShardError RUNTIME_UNSUPPORTED: find-my-way compiles its routers
 */
export function createRouter(options: FindMyWay.Config<FindMyWay.HTTPVersion.V1> = {}) {
  requireCompiling();
  return FindMyWay<FindMyWay.HTTPVersion.V1>({ maxParamLength: MAX_PARAM_LENGTH, ...options });
}
