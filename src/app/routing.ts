import type FindMyWay from 'find-my-way';
import { lazily } from '../core/lazily.js';
import { requireCompiling } from '../core/runtime.js';
import type { AnyMethod } from '../options/methods.js';

const findMyWay = lazily<typeof FindMyWay>('find-my-way');

/** Longer parameters do not match. The limit of the request target is lower, so this one never applies. */
const MAX_PARAM_LENGTH = 65_536;

/** The part of a router that is used. The types of find-my-way lack QUERY, which it routes. */
export interface PathRouter {
  on(methods: AnyMethod | AnyMethod[], pattern: string, handler: () => void, store?: unknown): void;
  find(method: AnyMethod, path: string): { params: Record<string, string | undefined>; store: unknown } | null;
}

/**
 * Creates a find-my-way router. HTTP thread and shards use the same settings, so that they agree on every path.
 * @throws LoopShardError RUNTIME_UNSUPPORTED, because find-my-way compiles its routers
 */
export function createRouter(options: FindMyWay.Config<FindMyWay.HTTPVersion.V1> = {}): PathRouter {
  requireCompiling();
  return findMyWay()<FindMyWay.HTTPVersion.V1>({
    maxParamLength: MAX_PARAM_LENGTH,
    ...options,
  }) as unknown as PathRouter;
}
