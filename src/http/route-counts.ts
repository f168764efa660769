import { STATUS_CODES } from 'node:http';
import type { RouteEntry, RouteTable } from '../contract/messages.js';
import { routeName } from '../contract/route-permits.js';
import { ALL_METHODS, METHODS } from '../options/methods.js';
import type { HealthPaths } from '../options/scheduling.js';
import { statusOf } from './status-line.js';

/** The route of requests that no route matches, or that could not be parsed. */
export const UNMATCHED = 'unmatched';
/** The method of requests that could not be parsed. */
const UNKNOWN = 'unknown';
/** The only status below 200 that is not that of an interim response. */
const SWITCHING_PROTOCOLS = 101;
const COUNTED_METHODS = [...ALL_METHODS, UNKNOWN] as const;

/** What statuses are counted as: those that HTTP defines by themselves, others by class, so that apps cannot add to them. */
const STATUSES = [
  'other',
  ...Object.keys(STATUS_CODES).filter((status) => Number(status) >= 200 || Number(status) === SWITCHING_PROTOCOLS),
  ...Array.from({ length: 9 }, (_, index) => `${index + 1}xx`),
];
/** The index in STATUSES, by status. */
const COLUMNS = Uint8Array.from({ length: 1_000 }, (_, status) => {
  const own = STATUSES.indexOf(`${status}`);
  return Math.max(0, own >= 0 ? own : STATUSES.indexOf(`${Math.floor(status / 100)}xx`));
});

/** The routes and methods whose responses are counted, in the order of the memory. */
interface Row {
  /** Its number, as FixedRoutes numbers those of the option `health`; -1 for UNMATCHED. */
  number: number;
  route: string;
  method: (typeof COUNTED_METHODS)[number];
}

function rowsOf(routes: readonly RouteEntry[], health: Required<HealthPaths> | undefined): Row[] {
  const healthPaths = health === undefined ? [] : [health.livez, health.readyz];
  const all = [
    { number: -1, route: UNMATCHED, methods: COUNTED_METHODS },
    ...routes.map((route, number) => ({ number, route: routeName(route), methods: route.methods })),
    ...healthPaths.map((path, i) => ({ number: routes.length + i, route: `GET ${path}`, methods: METHODS })),
  ];
  return all.flatMap(({ methods, ...route }) => methods.map((method) => ({ ...route, method })));
}

/**
 * Creates the memory in which one HTTP thread counts responses by route. Its words are doubles, for the reasons given at
 * `createRouteTimes`.
 */
export function createRouteCounts(table: RouteTable, health: Required<HealthPaths> | undefined): SharedArrayBuffer {
  return new SharedArrayBuffer(rowsOf(table.routes, health).length * STATUSES.length * Float64Array.BYTES_PER_ELEMENT);
}

/** The responses of one route to requests of one method, by status. HTTP thread. */
export class ResponseCounts {
  readonly #words: Float64Array;

  constructor(words: Float64Array) {
    this.#words = words;
  }

  /** Counts a response by the status in its first line. */
  count(head: Uint8Array): void {
    this.#words[COLUMNS[statusOf(head)]]++;
  }
}

/** The responses of one HTTP thread by route, method and status. HTTP thread. */
export class RouteCounts {
  /** For requests that could not be parsed. */
  readonly unparsed: ResponseCounts;
  /** By route, from UNMATCHED on, and method; routes have no holes where they have a method. */
  readonly #rows: ResponseCounts[];

  /** @param memory by `createRouteCounts` */
  constructor(memory: SharedArrayBuffer, table: RouteTable, health: Required<HealthPaths> | undefined) {
    const words = new Float64Array(memory);
    const rows = rowsOf(table.routes, health);
    this.#rows = new Array((rows[rows.length - 1].number + 2) * COUNTED_METHODS.length);
    for (const [index, { number, method }] of rows.entries()) {
      const start = index * STATUSES.length;
      const row = new ResponseCounts(words.subarray(start, start + STATUSES.length));
      this.#rows[(number + 1) * COUNTED_METHODS.length + COUNTED_METHODS.indexOf(method)] = row;
    }
    this.unparsed = this.#rows[COUNTED_METHODS.indexOf(UNKNOWN)];
  }

  /**
   * @param route its number; negative for an unmatched request
   * @param method index in ALL_METHODS
   */
  of(route: number, method: number): ResponseCounts {
    return this.#rows[Math.max(0, route + 1) * COUNTED_METHODS.length + method];
  }
}

/** How many responses had this route, method and status. */
export interface CountedResponses {
  /** Such as `GET /users/:id`, or `unmatched`. */
  route: string;
  /** `unknown` if the request could not be parsed. */
  method: string;
  /** Such as `200`; a class such as `4xx` for a status that HTTP does not define. */
  status: string;
  count: number;
}

/**
 * Returns the sums over several HTTP threads, without zeros. Any thread.
 * @param memories by `createRouteCounts`, for these routes
 */
export function sumRouteCounts(
  memories: readonly SharedArrayBuffer[],
  routes: readonly RouteEntry[],
  health: Required<HealthPaths> | undefined,
): CountedResponses[] {
  const counted: CountedResponses[] = [];
  const all = memories.map((memory) => new Float64Array(memory));
  for (const [index, { route, method }] of rowsOf(routes, health).entries()) {
    for (const [column, status] of STATUSES.entries()) {
      let count = 0;
      for (const words of all) count += words[index * STATUSES.length + column];
      if (count > 0) counted.push({ route, method, status, count });
    }
  }
  return counted;
}
