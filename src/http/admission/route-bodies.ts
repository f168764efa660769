import type { RouteTable } from '../../contract/messages.js';
import type { BodyRules } from '../parser/request-sink.js';

/** How each route takes request bodies. HTTP thread. */
export class RouteBodies {
  /** No route says otherwise than the server. */
  readonly areAlike: boolean;
  readonly standard: BodyRules;
  readonly #rules: readonly BodyRules[];

  /** @param maxBytes of routes that do not say */
  constructor({ routes }: RouteTable, maxBytes: number) {
    this.standard = { isStreamed: false, maxBytes };
    this.#rules = routes.map(({ isStreamed = false, maxBodyBytes }) => ({
      isStreamed,
      maxBytes: maxBodyBytes ?? (isStreamed ? Number.POSITIVE_INFINITY : maxBytes),
    }));
    this.areAlike = routes.every(({ isStreamed, maxBodyBytes }) => isStreamed !== true && maxBodyBytes === undefined);
  }

  /** @param route its number; a negative one for what no route matches */
  of(route: number): BodyRules {
    return this.#rules[route] ?? this.standard;
  }
}
