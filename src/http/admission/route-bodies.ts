import type { RouteTable } from '../../contract/messages.js';
import type { BodyRules } from '../parser/request-sink.js';

/** How each route reads request bodies. HTTP thread. */
export class RouteBodies {
  /** Whether all routes use the server's rules. */
  readonly areAlike: boolean;
  readonly standard: BodyRules;
  readonly #rules: readonly BodyRules[];

  /** @param maxBytes for routes without a limit */
  constructor({ routes }: RouteTable, maxBytes: number) {
    this.standard = { isStreamed: false, isAuto: false, maxBytes };
    this.#rules = routes.map(({ isStreamed = false, isAuto = false, maxBodyBytes }) => ({
      isStreamed,
      isAuto,
      maxBytes: maxBodyBytes ?? (isStreamed || isAuto ? Number.POSITIVE_INFINITY : maxBytes),
    }));
    this.areAlike = this.#rules.every((rules) => !rules.isStreamed && !rules.isAuto && rules.maxBytes === maxBytes);
  }

  /** @param route its number; negative for a request without a route */
  of(route: number): BodyRules {
    return this.#rules[route] ?? this.standard;
  }
}
