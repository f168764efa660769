import type FindMyWay from 'find-my-way';
import { lazily } from '../core/lazily.js';
import { requireCompiling } from '../core/runtime.js';

const findMyWay = lazily<typeof FindMyWay>('find-my-way');

/** Longer parameters do not match. The limit of the request target is lower, so this one never applies. */
const MAX_PARAM_LENGTH = 65_536;

/**
 * Creates a find-my-way router. HTTP thread and shards use the same settings, so that they agree on every path.
 * @throws LoopShardError RUNTIME_UNSUPPORTED, because find-my-way compiles its routers
 */
export function createRouter(options: FindMyWay.Config<FindMyWay.HTTPVersion.V1> = {}) {
  requireCompiling();
  return findMyWay()<FindMyWay.HTTPVersion.V1>({ maxParamLength: MAX_PARAM_LENGTH, ...options });
}
