import type { CorsRules } from '../../contract/cors.js';
import { NOT_FOUND_ROUTE, type RequestName } from '../../contract/messages.js';
import { ALL_METHODS, METHODS } from '../../options/methods.js';
import { type Answer, allowAnswer, type Reason } from '../answers.js';
import type { Observation } from '../completion/observation.js';
import { preflightAnswer, readable } from '../cors.js';
import { Exchange, type Receiver } from '../exchange.js';
import type { RequestInHand } from '../parser/request-in-hand.js';
import type { BodyRules } from '../parser/request-sink.js';
import { readPath } from '../parser/target.js';
import type { Refusals } from '../refusals.js';
import type { RouteCounts } from '../route-counts.js';
import type { FixedRoutes } from '../routing/fixed-routes.js';
import { RouteCache } from '../routing/route-cache.js';
import { BAD_PATH, NO_ROUTE, type Router } from '../routing/router.js';
import type { Shards } from '../shards.js';
import type { Deadlines } from './deadlines.js';
import type { Dispatcher } from './dispatcher.js';
import type { Gate } from './gate.js';
import { readKey } from './key-reader.js';
import { hashText } from './policies.js';
import type { Ranking } from './ranking.js';
import type { RecordWriter } from './record.js';
import type { RouteBodies } from './route-bodies.js';
import type { RouteRules, Rules } from './route-rules.js';

const HEAD = METHODS.indexOf('HEAD');
const OPTIONS = METHODS.indexOf('OPTIONS');

/** The parts that admission uses. */
export interface AdmissionParts {
  router: Router;
  hasNotFound: boolean;
  cors: CorsRules | undefined;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  bodies: RouteBodies;
  fixed: FixedRoutes;
  rules: Rules;
  ranking: Ranking;
  gate: Gate;
  dispatcher: Dispatcher;
  deadlines: Deadlines;
  refusals: Refusals;
  records: RecordWriter;
  /** Set if metrics are enabled. */
  counts: RouteCounts | undefined;
  observation: Observation;
  /** Whether a stream that continues without its slot has this name. */
  isTaken(name: RequestName): boolean;
}

/** Admits requests: into slots and onto the submission rings. HTTP thread only. */
export class Admission {
  readonly #shards: Shards;
  readonly #exchanges: readonly Exchange[];
  readonly #parts: AdmissionParts;
  readonly #routes = new RouteCache();

  constructor(shards: Shards, exchanges: readonly Exchange[], parts: AdmissionParts) {
    this.#shards = shards;
    this.#exchanges = exchanges;
    this.#parts = parts;
  }

  /** How the body of the request is read. */
  bodyRules(request: RequestInHand): BodyRules {
    const { bodies } = this.#parts;
    return bodies.areAlike ? bodies.standard : bodies.of(this.#route(request));
  }

  /** The number of the request's route, NO_ROUTE or BAD_PATH. */
  #route(request: RequestInHand): number {
    const { method } = request;
    const known = this.#routes.find(request, method);
    if (known >= 0) return known;
    const path = readPath(request.headSource, request.headStart, request.targetBytes);
    const { router } = this.#parts;
    const route = path === undefined ? BAD_PATH : router.find(ALL_METHODS[method], path);
    if (route >= 0) {
      this.#routes.remember(request, method, route);
      return route;
    }
    const any = router.findAny(request.target);
    return any === NO_ROUTE ? route : any;
  }

  /** The number of a route that gets only requests that offer another protocol, or a negative number. */
  #upgradeRoute(request: RequestInHand): number {
    const { router } = this.#parts;
    if (!router.hasUpgrades || !offersUpgrade(request)) return NO_ROUTE;
    const path = readPath(request.headSource, request.headStart, request.targetBytes);
    if (path === undefined) return BAD_PATH;
    return router.findUpgrade(ALL_METHODS[request.method], path, request.list('upgrade'));
  }

  /** Routes the request and submits it to a shard, or responds to it. */
  admit(request: RequestInHand, connection: Receiver): Exchange {
    let route = this.#upgradeRoute(request);
    if (route < 0) route = this.#route(request);
    const exchange = this.#submitOrAnswer(request, connection, route);
    exchange.counter = this.#parts.counts?.of(route, request.method);
    if (!request.keepAlive) exchange.close = true;
    exchange.sayKeepAlive = request.keepAlive && request.isHttp10;
    return exchange;
  }

  #submitOrAnswer(request: RequestInHand, connection: Receiver, route: number): Exchange {
    if (route === BAD_PATH) return this.#refuseTarget(connection, request);
    if (route === NO_ROUTE) {
      const answer = this.#answerUnrouted(request);
      return answer === undefined
        ? this.#submit(request, connection, NOT_FOUND_ROUTE)
        : this.#answered(connection, request, route, answer);
    }
    const fixed = this.#parts.fixed.answer(route, request.method === HEAD, request);
    if (fixed === undefined) return this.#submit(request, connection, route);
    return this.#answered(connection, request, route, readable(fixed, this.#parts.cors, request));
  }

  /** @param code why it is rejected; undefined if it is not, or because no route matches */
  #answered(connection: Receiver, request: RequestInHand, route: number, answer: Answer, code?: Reason): Exchange {
    const exchange = Exchange.answered(connection, answer);
    exchange.observed = this.#parts.observation.answered(connection, request, route, code);
    return exchange;
  }

  /** Passes the request through the gate, into a slot and onto a ring; any of these may reject it. */
  #submit(request: RequestInHand, connection: Receiver, route: number): Exchange {
    const { rules: allRules, ranking, gate, dispatcher, router } = this.#parts;
    const rules = allRules.of(route);
    const rank = rules.rank >= 0 ? rules.rank : ranking.rank(request);
    const isOffer = rules.takesUpgrades && offersUpgrade(request);
    const key = rules.key && readKey(request, rules.key, router, isOffer);
    const sticky = key !== undefined;
    const wish = { rules, hash: sticky ? hashText(key) : rules.hash, sticky, isOffer };
    const now = this.#shards.clock.nowUs();
    this.#shards.load.now = now;
    let shard = dispatcher.pick(wish);
    if (shard < 0) return this.#refuse(connection, request, route, 'NO_SHARD');
    const refusal = gate.refusal(rules, rank, shard);
    if (refusal !== undefined) {
      shard = dispatcher.pickOther(wish, (other) => gate.refusal(rules, rank, other) === undefined);
      if (shard < 0) return this.#refuse(connection, request, route, refusal);
    }
    const slot = gate.takeSlot(rules.group, rank);
    if (slot < 0) return this.#refuse(connection, request, route, 'NO_SLOT');
    const exchange = this.#exchanges[slot];
    exchange.reset(connection, rules);
    exchange.isOffer = isOffer;
    const { refusals } = this.#parts;
    if (refusals.dependOnRequest) exchange.refused = refusals.about(request);
    const passage = dispatcher.passages[slot];
    passage.reset(rules, rank, now);
    passage.hash = wish.hash;
    passage.sticky = sticky;
    passage.isOffer = isOffer;
    try {
      this.#fill(exchange, request, route, rules, now);
    } catch (error) {
      // The request's private record needed more memory than is available.
      this.#shards.slots[rules.group].release(slot);
      throw error;
    }
    dispatcher.submit(slot, shard);
    return exchange;
  }

  #fill(exchange: Exchange, request: RequestInHand, route: number, rules: RouteRules, now: number): void {
    const { queueTimeoutUs, handlerTimeoutUs } = rules;
    const queueDeadline = queueTimeoutUs === 0 ? 0 : now + queueTimeoutUs;
    // The slot has only the low 32 bits; 0 means no deadline.
    const queueDeadlineWord = queueDeadline === 0 ? 0 : queueDeadline | 0 || 1;
    do exchange.sequence = this.#shards.side.figures.nextSequence();
    while (this.#parts.isTaken(exchange));
    this.#parts.records.fill(exchange, request, route, now, queueDeadlineWord);
    if (queueDeadline !== 0 || handlerTimeoutUs !== 0) {
      this.#parts.deadlines.set(exchange.slot, queueDeadline, handlerTimeoutUs);
    }
  }

  #refuse(connection: Receiver, request: RequestInHand, route: number, reason: Reason): Exchange {
    const { refusals } = this.#parts;
    return this.#answered(connection, request, route, refusals.counted(reason, refusals.about(request)), reason);
  }

  /** After an invalid target the message framing cannot be trusted: close. */
  #refuseTarget(connection: Receiver, request: RequestInHand): Exchange {
    const exchange = this.#refuse(connection, request, NO_ROUTE, 'BAD_TARGET');
    exchange.close = true;
    return exchange;
  }

  /** The response to a request without a route; undefined if the not-found handler is to respond. */
  #answerUnrouted(request: RequestInHand): Answer | undefined {
    const { router, hasNotFound, cors, keepAliveLines, refusals } = this.#parts;
    const { path } = request;
    if (path === '*' && request.method === OPTIONS) return allowAnswer(METHODS.join(', '), keepAliveLines);
    // A handler of OPTIONS, such as one of CORS for all paths, does not mean that the path exists.
    const allowed = router.allowed(path).filter((method) => method !== 'OPTIONS');
    const preflight = request.method === OPTIONS ? preflightAnswer(cors, request, allowed, keepAliveLines) : undefined;
    if (preflight !== undefined) return preflight;
    if (allowed.length > 0) {
      const allow = [...allowed, 'OPTIONS'].join(', ');
      if (request.method === OPTIONS) return readable(allowAnswer(allow, keepAliveLines), cors, request);
      return refusals.answer('METHOD_NOT_ALLOWED', { ...refusals.about(request), allow });
    }
    return hasNotFound ? undefined : refusals.answer('NOT_FOUND', refusals.about(request));
  }
}

/** Whether another protocol may follow the request. After a body it never does (docs/websockets.md). */
function offersUpgrade(request: RequestInHand): boolean {
  return request.upgrade && request.bodyBytes === 0 && !request.isStreamed;
}
