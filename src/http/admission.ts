import {
  FIELD_BYTES,
  SLOT_BODY_BYTES_OFFSET,
  SLOT_DATA_OFFSET,
  SLOT_FIELD_COUNT_OFFSET,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_BYTES_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_METHOD_OFFSET,
  SLOT_REQUEST_TRANSFERRED_FLAG,
  SLOT_ROUTE_OFFSET,
  SLOT_SEQUENCE_OFFSET,
  SLOT_TARGET_BYTES_OFFSET,
} from '../../assembly/layout.js';
import { slotAddress } from '../pool/plan.js';
import type { ShardPool } from '../pool/shard-pool.js';
import { METHODS, NOT_FOUND_ROUTE } from '../protocol.js';
import { type Answer, allowAnswer, errorAnswer, type Reason } from './answers.js';
import type { Connection } from './connection.js';
import { Exchange } from './exchange.js';
import type { RequestParser } from './request-parser.js';
import { RouteCache } from './route-cache.js';
import { BAD_PATH, NO_ROUTE, type Router } from './router.js';
import { readPath } from './target.js';

const HEAD = METHODS.indexOf('HEAD');
const OPTIONS = METHODS.indexOf('OPTIONS');

/** How requests come into slots and onto the submission rings. HTTP thread only. */
export class Admission {
  /** The exchange of each slot, made once. */
  readonly exchanges: readonly Exchange[];
  readonly #pool: ShardPool;
  readonly #router: Router;
  readonly #routes = new RouteCache();
  readonly #hasNotFound: boolean;
  /** Response bytes have to fit behind the request: what is left of the slot must hold a head at the least. */
  readonly #recordLimit: number;
  #sequence = 0;

  constructor(pool: ShardPool, router: Router, hasNotFound: boolean) {
    this.#pool = pool;
    this.#router = router;
    this.#hasNotFound = hasNotFound;
    this.#recordLimit = (pool.plan.slotStride - SLOT_DATA_OFFSET) >> 1;
    this.exchanges = Array.from({ length: pool.plan.slots }, (_, slot) => new Exchange(slot));
  }

  /** Routes the request and submits it to a shard, or answers it. */
  admit(request: RequestParser, connection: Connection): Exchange {
    const exchange = this.#submitOrAnswer(request, connection);
    if (!request.keepAlive) exchange.close = true;
    exchange.sayKeepAlive = request.keepAlive && request.isHttp10;
    return exchange;
  }

  #submitOrAnswer(request: RequestParser, connection: Connection): Exchange {
    const method = request.method;
    let route = this.#routes.find(request, method);
    if (route < 0) {
      const path = readPath(request.headSource, request.headStart, request.targetBytes);
      route = path === undefined ? BAD_PATH : this.#router.find(METHODS[method], path);
      if (path === undefined || route === BAD_PATH) return this.#refuseTarget(connection, request);
      if (route >= 0) this.#routes.remember(request, method, route);
      else {
        const answer = this.#answerUnrouted(request, path, route);
        if (answer !== undefined) return connection.answered(answer);
        route = NOT_FOUND_ROUTE;
      }
    }
    const shard = this.#pool.pick();
    if (shard < 0) return this.#refuse(connection, request, 'NO_SHARD');
    const slot = this.#pool.slots.take();
    if (slot < 0) return this.#refuse(connection, request, 'NO_SLOT');
    const exchange = this.exchanges[slot];
    exchange.reset(connection);
    exchange.sequence = this.#sequence = (this.#sequence + 1) | 0;
    this.#fill(exchange, request, route, shard);
    exchange.shard = shard;
    if (this.#pool.submit(slot, shard)) return exchange;
    this.#pool.slots.release(slot);
    return this.#refuse(connection, request, 'NO_SLOT');
  }

  #refuse(connection: Connection, request: RequestParser, reason: Reason): Exchange {
    return connection.answered(errorAnswer(reason, { isHead: request.method === HEAD }));
  }

  /** A target that is none casts doubt on all that follows. */
  #refuseTarget(connection: Connection, request: RequestParser): Exchange {
    const exchange = this.#refuse(connection, request, 'BAD_TARGET');
    exchange.close = true;
    return exchange;
  }

  /** The answer to a request that no route takes, or nothing if the not-found handler shall give it. */
  #answerUnrouted(request: RequestParser, path: string, route: number): Answer | undefined {
    const isHead = request.method === HEAD;
    if (path === '*' && request.method === OPTIONS) return allowAnswer(METHODS.join(', '));
    const allowed = this.#router.allowed(path);
    if (route === NO_ROUTE && allowed.length > 0) {
      const allow = [...allowed, 'OPTIONS'].join(', ');
      if (request.method === OPTIONS) return allowAnswer(allow);
      return errorAnswer('METHOD_NOT_ALLOWED', { isHead, allow });
    }
    return this.#hasNotFound ? undefined : errorAnswer('NOT_FOUND', { isHead });
  }

  /** Writes the request record: field index, head, body. */
  #fill(exchange: Exchange, request: RequestParser, route: number, shard: number): void {
    const { core, plan } = this.#pool;
    const { i32 } = core;
    const address = slotAddress(plan, exchange.slot);
    const word = address >> 2;
    const { headBytes, bodyBytes, fieldCount, method } = request;
    let flags = method === HEAD ? SLOT_HEAD_REQUEST_FLAG : 0;
    if (fieldCount * FIELD_BYTES + headBytes + bodyBytes <= this.#recordLimit) {
      const data = address + SLOT_DATA_OFFSET;
      core.wasm.headCopyFields(data);
      copyRecord(core.u8, data + fieldCount * FIELD_BYTES, request, headBytes, bodyBytes);
    } else {
      flags |= SLOT_REQUEST_TRANSFERRED_FLAG;
      exchange.transferred = true;
      this.#pool.transfer(shard, exchange.slot, exchange.sequence, transferRecord(request));
    }
    i32[word + (SLOT_ROUTE_OFFSET >> 2)] = route;
    i32[word + (SLOT_METHOD_OFFSET >> 2)] = method;
    i32[word + (SLOT_FLAGS_OFFSET >> 2)] = flags;
    i32[word + (SLOT_TARGET_BYTES_OFFSET >> 2)] = request.targetBytes;
    i32[word + (SLOT_HEAD_BYTES_OFFSET >> 2)] = headBytes;
    i32[word + (SLOT_FIELD_COUNT_OFFSET >> 2)] = fieldCount;
    i32[word + (SLOT_BODY_BYTES_OFFSET >> 2)] = bodyBytes;
    i32[word + (SLOT_SEQUENCE_OFFSET >> 2)] = exchange.sequence;
  }
}

function copyRecord(
  target: Uint8Array,
  at: number,
  request: RequestParser,
  headBytes: number,
  bodyBytes: number,
): void {
  const { buffer, byteOffset } = request.headSource;
  // Not subarray(): Buffer's is slower than a view that V8 makes inline.
  target.set(new Uint8Array(buffer, byteOffset + request.headStart, headBytes), at);
  if (bodyBytes > 0) target.set(request.body(), at + headBytes);
}

/** The same record in a buffer of its own. */
function transferRecord(request: RequestParser): ArrayBuffer {
  const { headBytes, bodyBytes } = request;
  const fields = request.fields();
  const record = new Uint8Array(fields.length + headBytes + bodyBytes);
  record.set(fields);
  copyRecord(record, fields.length, request, headBytes, bodyBytes);
  return record.buffer;
}
