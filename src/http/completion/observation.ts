import { clearTimeout, setTimeout } from 'node:timers';
import { FIELD_BYTES, SLOT_NO_START } from '../../../assembly/layout.js';
import type { UnhandledRequest } from '../../contract/messages.js';
import { readPeer } from '../../contract/peer.js';
import { readPairs } from '../../contract/record-fields.js';
import { SentReports } from '../../contract/sent-reports.js';
import { elapsedUs } from '../../core/clock.js';
import { ALL_METHODS } from '../../options/methods.js';
import { type Exchange, type ObservedExchange, REPORTED, type Receiver } from '../exchange.js';
import type { RequestInHand } from '../parser/request-in-hand.js';
import type { Shards } from '../shards.js';

/** How long reports are gathered before they are sent. */
const GATHER_MS = 20;
/** Unhandled requests reported within that time, at most: an overload must not occupy the shards further. */
const MOST_UNHANDLED = 20;
/** Position of the minor version behind the target. */
const MINOR_OFFSET = ' HTTP/1.'.length;

/** Tells the shards what became of the requests that they trace, or whose events somebody listens to. HTTP thread only. */
export class Observation {
  readonly #shards: Shards;
  /** By shard. */
  readonly #reports: (SentReports | undefined)[] = [];
  /** By shard. */
  #unhandled: UnhandledRequest[][] = [];
  #unhandledCount = 0;
  /** The shard that was told about the latest unhandled request. */
  #latest = -1;
  #timer: NodeJS.Timeout | undefined;

  constructor(shards: Shards) {
    this.#shards = shards;
  }

  /** A shard gives back a slot whose request it observes. */
  handled(shard: number, { slot, sequence }: Exchange): ObservedExchange {
    return {
      ended: (status, isAborted) => {
        const endedAt = this.#shards.clock.nowUs();
        const reports = (this.#reports[shard] ??= new SentReports());
        reports.add({ slot, sequence, endedAt, status, isAborted });
        if (reports.isFull) this.flush();
        else this.#flushSoon();
      },
    };
  }

  /** The HTTP thread responds to a request without a slot. Returns `undefined` if no shard observes. */
  answered(
    connection: Receiver,
    request: RequestInHand,
    route: number,
    code: string | undefined,
  ): ObservedExchange | undefined {
    const shard = this.#observer();
    if (shard < 0) return undefined;
    const now = this.#shards.clock.nowUs();
    const { method, target, isHttp10, arrivedAtMs } = request;
    return this.#unhandledBy(shard, {
      method: ALL_METHODS[method],
      target,
      isHttp10,
      pairs: request.pairs(),
      peer: readPeer(connection.peer, 0),
      route,
      arrivedAt: arrivedAtMs === undefined ? now : this.#shards.clock.usAt(arrivedAtMs),
      queuedAt: undefined,
      startedAt: undefined,
      code,
    });
  }

  /**
   * The HTTP thread responds in place of a shard, or the client has disconnected: no shard that still runs has the slot. Its record must not
   * have been overwritten. Returns `undefined` if no shard observes.
   */
  unhandled(exchange: Exchange, code: string | undefined): ObservedExchange | undefined {
    const shard = this.#observer();
    if (shard < 0) return undefined;
    const { core, side, clock } = this.#shards;
    const view = side.views[exchange.slot];
    const { record, fieldCount, targetBytes, headBytes, method, peer, route } = view;
    const start = record + fieldCount * FIELD_BYTES;
    const head = core.bytes.latin1Slice(start, start + headBytes);
    const now = clock.nowUs();
    const startedAt = side.startedAt(exchange.slot);
    const at = (word: number) => now - elapsedUs(now, word);
    return this.#unhandledBy(shard, {
      method: ALL_METHODS[method],
      target: head.slice(0, targetBytes),
      isHttp10: isHttp10(head, targetBytes),
      pairs: readPairs(head, core.u16, record >> 1, fieldCount),
      peer,
      route,
      arrivedAt: at(view.arrivedAt),
      queuedAt: at(view.submittedAt),
      startedAt: startedAt === SLOT_NO_START ? undefined : at(startedAt),
      code,
    });
  }

  /** The HTTP thread responds with `instead` while a shard may be running the handler, or the request is still queued. */
  answeredEarly(exchange: Exchange, instead: Exchange, code: string): void {
    instead.observed = this.#early(exchange, code);
    exchange.observed = REPORTED;
  }

  #early(exchange: Exchange, code: string): ObservedExchange | undefined {
    const { side } = this.#shards;
    // The handler may have settled meanwhile. A shard that is lost hears no reports.
    const shard = code === 'SHARD_LOST' ? -1 : Math.max(side.heldBy(exchange.slot), side.completedBy(exchange.slot));
    if (shard < 0) return this.unhandled(exchange, code);
    return side.words.isObserving(shard) ? this.handled(shard, exchange) : undefined;
  }

  #unhandledBy(shard: number, request: Omit<UnhandledRequest, 'status' | 'endedAt' | 'isAborted'>): ObservedExchange {
    return {
      ended: (status, isAborted) => {
        if (this.#unhandledCount === MOST_UNHANDLED) return;
        this.#unhandledCount++;
        const endedAt = this.#shards.clock.nowUs();
        (this.#unhandled[shard] ??= []).push({ ...request, status, endedAt, isAborted });
        this.#flushSoon();
      },
    };
  }

  /** The next ready shard, if it observes requests, otherwise -1: all shards run the same code. */
  #observer(): number {
    const { attached, load, side } = this.#shards;
    for (let i = 1; i <= attached.length; i++) {
      const shard = attached[(this.#latest + i) % attached.length];
      if (load.ready[shard] === 0) continue;
      if (!side.words.isObserving(shard)) return -1;
      this.#latest = (this.#latest + i) % attached.length;
      return shard;
    }
    return -1;
  }

  #flushSoon(): void {
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS).unref();
  }

  /** Sends all reports now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [shard, reports] of this.#reports.entries()) {
      if (reports?.isEmpty === false) this.#shards.sendReports(shard, reports.take());
    }
    for (const [shard, requests] of this.#unhandled.entries()) {
      if (requests !== undefined) this.#shards.sendUnhandled(shard, requests);
    }
    this.#unhandled = [];
    this.#unhandledCount = 0;
  }
}

/** Whether the version after the target is 1.0: " HTTP/1.0". */
function isHttp10(head: string, targetBytes: number): boolean {
  return head[targetBytes + MINOR_OFFSET] === '0';
}
