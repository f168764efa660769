import { matches, tagOf } from '../../app/entity-tags.js';
import type { FixedBody, RouteTable } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import { METHODS } from '../../options/methods.js';
import type { HealthPaths } from '../../options/scheduling.js';
import { type Answer, fixedAnswer, notModifiedAnswer, oncePerSecond } from '../answers.js';
import type { NotReady } from '../readiness.js';
import type { Router } from './router.js';

export interface FixedRouteOptions {
  health: Required<HealthPaths> | undefined;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
}

/** Routes whose responses the HTTP thread sends itself: those of `app.fixed`, and health. HTTP thread. */
export class FixedRoutes {
  readonly #answers = new Map<number, () => Answer>();
  /** Entity tags, and the 304 responses for clients that already have the body. */
  readonly #tagged = new Map<number, { etag: string; answer: () => Answer }>();

  readonly #keepAliveLines: string;

  /** @throws LoopShardError ROUTE_DUPLICATE */
  constructor(
    table: RouteTable,
    router: Router,
    { health, keepAliveLines }: FixedRouteOptions,
    whyNotReady: () => NotReady | undefined,
  ) {
    this.#keepAliveLines = keepAliveLines;
    for (const [number, { fixed }] of table.routes.entries()) {
      if (fixed !== undefined) this.#addFixed(number, fixed);
    }
    if (health === undefined) return;
    this.#addHealth(router, health.livez, table.routes.length, () => ({ status: 'live' }));
    this.#addHealth(router, health.readyz, table.routes.length + 1, () => {
      const why = whyNotReady();
      return why === undefined ? { status: 'ready' } : { status: 'not ready', ...why };
    });
  }

  /** Adds a fixed response. Its bytes never change, so its tag is strong. */
  #addFixed(number: number, fixed: FixedBody): void {
    const etag = tagOf(fixed.bytes);
    this.#answers.set(
      number,
      oncePerSecond(() => fixedAnswer(200, fixed, [`etag: ${etag}`], this.#keepAliveLines)),
    );
    this.#tagged.set(number, { etag, answer: oncePerSecond(() => notModifiedAnswer(etag, this.#keepAliveLines)) });
  }

  #addHealth(router: Router, path: string, number: number, look: () => { status: string; reason?: string }): void {
    try {
      // Every method, such as HAProxy's OPTIONS, gets the same response.
      router.add(METHODS, path, number);
    } catch (cause) {
      throw new LoopShardError(
        'ROUTE_DUPLICATE',
        `The path ${path} of the option \`health\` is also a route of the app. Give one of them another path.`,
        { cause },
      );
    }
    this.#answers.set(number, () => {
      const health = look();
      const body: FixedBody = { type: 'application/json', bytes: Buffer.from(JSON.stringify(health)) };
      return fixedAnswer(
        health.reason === undefined ? 200 : 503,
        body,
        ['cache-control: no-store'],
        this.#keepAliveLines,
      );
    });
  }

  /** The response of a fixed route; undefined for a route of the shards. */
  answer(route: number, isHead: boolean, request: { field(name: string): string | undefined }): Answer | undefined {
    if (this.#answers.size === 0) return undefined;
    const tagged = this.#tagged.get(route);
    if (tagged !== undefined && matches(request.field('if-none-match'), tagged.etag)) return tagged.answer();
    const answer = this.#answers.get(route)?.();
    if (answer === undefined || !isHead) return answer;
    return { bytes: answer.bytes.subarray(0, answer.headBytes), headBytes: answer.headBytes };
  }
}
