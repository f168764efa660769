import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { clearInterval, setImmediate, setInterval } from 'node:timers';
import {
  COUNTER_ABANDONED_OFFSET,
  COUNTER_CALLED_AT_OFFSET,
  COUNTER_CALLED_ROUTE_OFFSET,
  COUNTER_EXTENT_WAITING_OFFSET,
  COUNTER_EXTENT_WAITS_OFFSET,
  COUNTER_STARTED_OFFSET,
  SLOT_ABANDONED_FLAG,
  SLOT_BODY_STREAM_FLAG,
  SLOT_EXPIRED_FLAG,
  SLOT_INTERIM_FLAG,
  SLOT_STREAM_FLAG,
} from '../../assembly/layout.js';
import { developmentBody } from '../app/error-page.js';
import { type Failure, failureOf } from '../app/failures.js';
import type { ContextEntry, Handler } from '../app/handler.js';
import { isRaw, type RawHost, type RawReply } from '../app/raw.js';
import { AppRequest } from '../app/request.js';
import { AppResponse } from '../app/response.js';
import { type ResponseHost, ResponseState } from '../app/response-state.js';
import { describe } from '../contract/describe.js';
import { isDevelopment } from '../contract/development.js';
import { httpOf } from '../contract/memory-map.js';
import {
  type BodyPiece,
  NOT_FOUND_ROUTE,
  type RequestName,
  type RequestReport,
  type ShardReport,
  type StreamAnswer,
} from '../contract/messages.js';
import type { SlotView } from '../contract/slot-view.js';
import { elapsedUs } from '../core/clock.js';
import { isThenable } from '../core/thenable.js';
import { LoopShardError } from '../errors.js';
import type { JsonWriter } from '../json/direct.js';
import type { ShardContext } from './context.js';
import type { Blocking } from './loop/blocking.js';
import type { ThreadTime } from './loop/thread-time.js';
import { Observers } from './observing/observers.js';
import { SlotRequest } from './request/request.js';
import { bodyOf } from './response/bodies.js';
import { NO_ROOM, type Outcome, Responder, WRITTEN } from './response/responder.js';
import { discardStream, isStream, ownStream } from './streams/stream-source.js';
import { StreamedResponses } from './streams/streamed-responses.js';
import { type Task, Tasks } from './tasks.js';

/** Interval at which responses that wait for an extent try again. */
const RETRY_MS = 2;
const SCOPE = { requireManualDestroy: true };

/** Callbacks of the shard's loop. */
export interface HandlerEvents {
  /**
   * Called when a slot is complete.
   * @param handlerUs how long its handler took; 0 if the time is not representative
   * @param hasPermit whether it still holds a permit
   */
  onComplete(slot: number, handlerUs: number, hasPermit: boolean): void;
  /** Called when a slot releases its permit before it is complete. */
  onPermit(): void;
  /** Called when a stream without a slot is over. */
  onDetachedEnded(): void;
}

/** Starts handlers and turns their results into responses. Handlers do not wait for each other. Shard only. */
export class Handlers implements ResponseHost, RawHost {
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #streams: StreamedResponses;
  readonly #events: HandlerEvents;
  readonly #threadTime: ThreadTime;
  readonly #blocking: Blocking;
  readonly #tasks = new Tasks();
  readonly observers: Observers;
  /** Number of handlers that have not settled although the HTTP thread has already responded. */
  #abandoned = 0;
  /** The request of the running code, across asynchronous calls. */
  readonly #running = new AsyncLocalStorage<SlotRequest>();
  /** Its context is that of no request. */
  readonly #outside = newScope();
  /** Requests with complete bodies that wait for a permit. */
  readonly #gathered: Gathered[] = [];
  /** Responses that wait for an extent. */
  readonly #waiting = new Set<Task>();
  #retries: NodeJS.Timeout | undefined;
  /** The clock when the latest handler settled. */
  #settledAt = 0;
  #isDraining = false;
  readonly #isDevelopment = isDevelopment();

  constructor(context: ShardContext, threadTime: ThreadTime, blocking: Blocking, events: HandlerEvents) {
    this.#context = context;
    this.#threadTime = threadTime;
    this.#blocking = blocking;
    this.#events = events;
    this.#responder = new Responder(context);
    this.observers = new Observers(context, newScope);
    this.#streams = new StreamedResponses(context, this.#responder, {
      onFailed: (task, error) => this.#fail(task, error),
      onBodiless: (task, outcome) => {
        task.hasSettled = true;
        this.#settle(task, outcome);
      },
      onOpened: (task) => void this.#recordTimes(task, context.clock.nowUs()),
      onBegun: (task) => this.#begun(task),
      onBroken: (task, error) => {
        if (task.observed !== undefined) this.observers.failed(task.observed, error);
        this.#report(task.request, error);
      },
      onHeld: (task) => this.#abandon(task),
      onFlushed: (task) => this.#tell(task, () => task.raw!.onFlushed()),
      onEnded: (task) => this.#ended(task),
      onLate: (task) => this.#settledLate(task),
    });
  }

  /**
   * Starts the handler of a claimed slot, unless the request has timed out in the queue. Never throws: the request gets a response
   * whatever the handler does.
   * @param now times by the server's clock
   * @returns the time when the handler has yielded the thread
   */
  start(slot: number, now: number, claimedAt: number): number {
    const context = this.#context;
    if (!context.side.tryStart(slot)) {
      this.#events.onPermit();
      return now;
    }
    const view = context.side.view(slot);
    if (isLate(view, now)) {
      view.mark(SLOT_EXPIRED_FLAG);
      this.#events.onComplete(slot, 0, true);
      return now;
    }
    const number = view.route;
    this.#occupy(number, now);
    context.times.recordQueue(elapsedUs(now, view.submittedAt), number);
    const known = number === NOT_FOUND_ROUTE ? undefined : context.app.route(number);
    const request = new SlotRequest(context, slot, view, known?.body.isStreamed === true);
    const req = new AppRequest(request);
    const route = known ?? context.app.notFound(req.path);
    const { compress } = route;
    const response = new ResponseState(request, compress === undefined ? context.compress : compress.rules, this);
    const task: Task = {
      slot,
      view,
      sequence: view.sequence,
      number,
      route,
      startedAt: now,
      calledAt: now,
      yieldedUs: -1,
      request,
      response,
      req,
      res: new AppResponse(response),
      schemas: route.schemas,
      scope: this.#scopeOf(request),
      observed: undefined,
      stream: undefined,
      isStreaming: false,
      raw: undefined,
      rawStream: undefined,
      place: undefined,
      unsent: undefined,
      failures: 0,
      hasSettled: true,
      hasPermit: true,
      hasSlot: true,
      isAbandoned: false,
      isDestroyed: false,
    };
    this.#tasks.add(task);
    if (this.observers.isOn) task.scope.runInAsyncScope(() => this.observers.begin(task, now, claimedAt));
    context.counters.add(COUNTER_STARTED_OFFSET, 1);
    if (known === undefined) response.statusCode = 404;
    const { contextEntry } = context.app;
    const handler = contextEntry === undefined ? route.handler : this.#enter(task, contextEntry, route.handler);
    const { isStreamed, isAuto } = route.body;
    if (view.has(SLOT_BODY_STREAM_FLAG) && !isStreamed && isAuto !== true) void this.#gather(task, handler);
    else {
      this.#noteCall(task);
      this.#run(task, handler);
    }
    const yieldedAt = request.finished ? this.#settledAt : context.clock.nowUs();
    if (!request.finished) task.yieldedUs = yieldedAt - now;
    this.#blocking.occupied(number, now, yieldedAt);
    return yieldedAt;
  }

  /** Publishes which handler occupies the event loop from now on. */
  #occupy(route: number, now: number): void {
    const { counters } = this.#context;
    counters.put(COUNTER_CALLED_ROUTE_OFFSET, route);
    // Odd, so that no time equals 0, which stands for none.
    counters.put(COUNTER_CALLED_AT_OFFSET, now | 1);
  }

  /** Number of started handlers that have not settled, without abandoned ones. */
  get inFlight(): number {
    return this.#tasks.withSlot;
  }

  /** As `inFlight`, plus streams without a slot. Upgraded connections are not counted. */
  get unfinished(): number {
    return this.#tasks.size - this.#tasks.upgraded;
  }

  /** Number of upgraded connections. */
  get upgraded(): number {
    return this.#tasks.upgraded;
  }

  /** Closes all upgraded connections. */
  closeUpgraded(): void {
    for (const task of this.#tasks.upgradedTasks()) task.stream?.breakOff();
  }

  // ── commands of the HTTP thread ─────────────────────────────────────────────────────────────────────────────────

  /**
   * Aborts a request: nobody waits for its response. It may have settled already, or not been started yet.
   * @param isGone whether the response cannot be sent
   */
  abort(name: RequestName, isGone: boolean): void {
    const task = this.#tasks.find(name);
    if (task === undefined) return this.#tasks.noteLeft(name, isGone);
    task.request.abort(isGone);
    if (isGone) task.stream?.cancel();
    if (task.raw === undefined || task.request.finished) return;
    // As in node:http, a response whose client disconnects is over.
    if (isGone) this.#settle(task, this.#responder.respondNothing(task));
    else this.destroy(task);
  }

  /** Called when the client has taken bytes of a stream, or the stream was cancelled. */
  onStreamAnswer(answer: StreamAnswer): void {
    this.#tasks.find(answer)?.stream?.onTaken(answer.taken, answer.spent);
  }

  /** Called with a piece of a request body. */
  onBodyPiece(piece: BodyPiece): void {
    const task = this.#tasks.find(piece);
    if (task === undefined) return;
    if (task.raw === undefined) task.request.receiveBody(piece);
    else this.#tell(task, () => task.request.receiveBody(piece));
    // The missing end of the body may have been the only reason for a stream to keep its slot. The slot must not be given back before the
    // head was posted: the HTTP thread would take that for a lost response.
    if (piece.last !== undefined && task.stream?.isHeadSent === true) this.#detach(task);
  }

  /** Called when an HTTP thread has ended. `requests` are its requests that shards have started. */
  onHttpThreadGone(http: number, requests: readonly RequestName[]): void {
    for (const { slot, sequence } of requests) {
      if (this.#tasks.find({ slot, sequence }) === undefined) continue;
      this.abort({ slot, sequence }, true);
      this.onBodyPiece({ slot, sequence, length: 0, last: 'broken' });
    }
    for (const task of this.#tasks) {
      if (!task.hasSlot && httpOf(this.#context.map, task.slot) === http) this.abort(task, true);
    }
    this.observers.onHttpThreadGone(http, (name) => {
      const task = this.#tasks.find(name);
      return task?.hasSlot === true && !task.request.isAborted;
    });
  }

  // ── functions for responses ─────────────────────────────────────────────────────────────────────────────────────

  openWriter(name: RequestName): JsonWriter {
    return this.#responder.openWriter(this.#tasks.find(name)!);
  }

  destroy(name: RequestName): void {
    const task = this.#tasks.find(name)!;
    task.isDestroyed = true;
    if (task.stream?.isBegun === true) return task.stream.breakOff();
    const { slot, sequence } = task;
    this.#context.http.of(slot).postMessage({ type: 'destroy', slot, sequence } satisfies RequestReport);
    if (task.raw !== undefined) this.#settle(task, this.#responder.respondNothing(task));
  }

  inform(name: RequestName, bytes: Uint8Array): void {
    const task = this.#tasks.find(name)!;
    if (task.stream?.isBegun === true) return;
    const { slot, sequence, view } = task;
    view.mark(SLOT_INTERIM_FLAG);
    this.#context.http.of(slot).postMessage({ type: 'interim', slot, sequence, bytes } satisfies RequestReport);
  }

  #scopeOf(request: SlotRequest): AsyncResource {
    // From Node.js 24 on, a context is entered by copying the current one, which costs three times as much if that is another request's.
    return this.#outside.runInAsyncScope(this.#enterOwn, this, request);
  }

  #enterOwn(request: SlotRequest): AsyncResource {
    // `run` would also leave the context, which costs more than to enter it.
    this.#running.enterWith(request);
    return newScope();
  }

  /**
   * Enters the async context of the app for all code of the request.
   * @returns the handler to call; if the context could not be entered, one that throws the error
   */
  #enter(task: Task, entry: ContextEntry, handler: Handler): Handler {
    return task.scope.runInAsyncScope(() => {
      try {
        task.scope = enterContext(entry, task.req);
        return handler;
      } catch (error) {
        return () => {
          throw error;
        };
      }
    });
  }

  /** Collects a body that is larger than any extent, and starts the handler when it is complete. */
  async #gather(task: Task, handler: Handler): Promise<void> {
    const { request } = task;
    const chunks: Uint8Array[] = [];
    // A client that sends its body slowly must not hold a permit.
    task.hasPermit = false;
    this.#events.onPermit();
    try {
      for await (const chunk of request.openBody()) chunks.push(chunk);
    } catch {
      // The HTTP thread has responded, or the client no longer waits.
      if (!task.request.finished) this.#giveBack(task);
      return;
    }
    if (request.finished) return;
    request.gather(Buffer.concat(chunks));
    this.#gathered.push({ task, handler });
    this.startGathered();
  }

  /** Starts requests with complete bodies while permits are available. */
  startGathered(): void {
    while (this.#gathered.length > 0) {
      const { task, handler } = this.#gathered[0];
      if (!task.request.finished) {
        const { side, clock } = this.#context;
        if (!side.permits.tryAcquire()) return;
        task.hasPermit = true;
        task.calledAt = clock.nowUs();
        task.yieldedUs = -1;
        this.#noteCall(task);
      }
      this.#gathered.shift();
      if (!task.hasPermit) continue;
      this.#occupy(task.number, task.calledAt);
      this.#run(task, handler);
      const yieldedAt = this.#context.clock.nowUs();
      task.yieldedUs = yieldedAt - task.calledAt;
      this.#context.counters.put(COUNTER_CALLED_AT_OFFSET, 0);
      this.#blocking.occupied(task.number, task.calledAt, yieldedAt);
    }
  }

  /** The handler is about to be called, at `calledAt`. */
  #noteCall(task: Task): void {
    this.#context.side.calling(task.slot, task.calledAt);
    if (task.observed !== undefined) this.observers.started(task.observed, task.calledAt);
  }

  /** Runs everything that may call user code in the request's scope, including getters of returned values. */
  #run(task: Task, handler: Handler): void {
    task.scope.runInAsyncScope(this.#runHere, this, task, handler);
  }

  #runHere(task: Task, handler: Handler): void {
    task.hasSettled = false;
    this.#call(task, handler);
  }

  #call(task: Task, handler: Handler): void {
    let result: unknown;
    try {
      result = handler(task.req, task.res);
      if (isThenable(result)) return this.#settleLater(task, result);
    } catch (error) {
      return this.#fail(task, error);
    }
    this.#succeed(task, result);
  }

  /** Wraps thenables in native promises, which settle at most once and never call back synchronously. */
  #settleLater(task: Task, result: PromiseLike<unknown>): void {
    Promise.resolve(result).then(
      (value) => this.#succeed(task, value),
      (error) => this.#fail(task, error),
    );
  }

  /** Sends or discards what a handler returned. We own the value from here on. */
  #succeed(task: Task, value: unknown): void {
    task.hasSettled = true;
    if (task.route.isRaw === true && isRaw(value)) return this.#takeRaw(task, value);
    let stream: AsyncIterable<unknown> | undefined;
    let outcome: Outcome;
    try {
      const body = bodyOf(value, task.response);
      if (isStream(body)) stream = body;
      if (stream !== undefined) {
        ownStream(stream);
        keepContext(task);
      }
      if (task.request.finished) {
        this.#discard(task, stream);
        return this.#settledLate(task);
      }
      if (task.isDestroyed) {
        this.#discard(task, stream);
        outcome = this.#responder.respondNothing(task);
      } else outcome = this.#responder.respond(task, body);
      if (typeof outcome === 'object') {
        this.#streams.start(task, outcome);
        task.hasSettled = false;
        return;
      }
      this.#discard(task, stream);
    } catch (error) {
      this.#discard(task, stream);
      return this.#fail(task, error);
    }
    // Outside the `try` block, in which V8 does not inline WASM calls.
    this.#settle(task, outcome);
  }

  /** Ends a stream that is not sent so that it releases its resources, while it can still read its request. */
  #discard({ scope }: Task, stream: AsyncIterable<unknown> | undefined): void {
    if (stream !== undefined) scope.runInAsyncScope(discardStream, undefined, stream);
  }

  #fail(task: Task, error: unknown): void {
    task.hasSettled = true;
    if (task.request.finished) return this.#settledLate(task);
    this.#responder.discard(task);
    if (task.isDestroyed) return this.#settle(task, this.#responder.respondNothing(task));
    const rule = task.route.errorRules[task.failures++];
    const failure = failureOf(error);
    this.#observeFailure(task, error, failure);
    if (rule === undefined) return this.#failPlainly(task, error, failure);
    task.response.reset(failure.statusCode, rule.keepHeaders);
    const handler: Handler = (req, res) => rule.handler(error, req, res) as never;
    // Keeps the async context that the handler has entered. From Node.js 24 on, running in the scope would reset it.
    if (this.#running.getStore() === task.request) this.#runHere(task, handler);
    else this.#run(task, handler);
  }

  /** A failure caused by the client's disconnect is expected, and so is one that says something about the request. */
  #observeFailure({ observed, request }: Task, error: unknown, { isLogged }: Failure): void {
    if (observed !== undefined && isLogged && !request.isAborted) this.observers.failed(observed, error);
  }

  /** Sends the default response of an error. Server errors are logged, and the client gets no details. */
  #failPlainly(task: Task, error: unknown, failure: Failure, isReported = false): void {
    const { request, response, route } = task;
    response.reset(failure.statusCode, route.errorRules.at(-1)?.keepHeaders === true);
    for (const [name, value] of failure.headers) response.set(name, value);
    // No more user code runs for this request.
    task.failures = Number.POSITIVE_INFINITY;
    // A failure caused by the client's disconnect is expected.
    if (failure.isLogged && !isReported && !request.isAborted) this.#report(request, error);
    if (!failure.isLogged || !this.#isDevelopment) {
      return this.#settle(task, this.#responder.respondPlainly(task, failure.body));
    }
    const { text, type } = developmentBody(error, failure.statusCode, request.header('accept'));
    this.#settle(task, this.#responder.respondPlainly(task, text, type));
  }

  // ── responses that the app forms itself ─────────────────────────────────────────────────────────────────────────

  #takeRaw(task: Task, raw: RawReply): void {
    const { request } = task;
    if (request.finished) {
      task.scope.runInAsyncScope(raw.onOver, raw);
      return this.#settledLate(task);
    }
    task.raw = raw;
    if (task.isDestroyed || request.isGone) return this.#settle(task, this.#responder.respondNothing(task));
    if (raw.isUpgrade) return this.#upgrade(task, raw);
    if (raw.isComplete) return this.onComplete(task);
    raw.attach(this, task);
    // The client has ended its side, as some do after their last request: what the app writes at once is still sent, as by node:http.
    if (request.isAborted) setImmediate(endHalfClosed, this, task);
  }

  /** Lets the app take over the connection. */
  #upgrade(task: Task, raw: RawReply): void {
    keepContext(task);
    const stream = this.#streams.startRaw(task, raw);
    if (!stream.open()) return;
    this.#tell(task, () => raw.attach(this, task));
    stream.onWritten();
  }

  onClosed(task: Task): void {
    if (!task.request.finished) task.rawStream!.close();
  }

  onWritten(task: Task): boolean {
    if (task.request.finished) return false;
    return (task.rawStream ?? this.#streams.startRaw(task, task.raw!)).onWritten();
  }

  onComplete(task: Task): void {
    const { request, rawStream } = task;
    if (request.finished) return;
    const raw = task.raw!;
    if (rawStream?.isBegun === true || raw.isUpgrade) return void rawStream!.onWritten();
    if (this.#responder.respondRaw(task, raw)) return this.#settle(task, WRITTEN);
    (rawStream ?? this.#streams.startRaw(task, raw)).onWritten();
  }

  onFailed(task: Task, error: unknown): void {
    if (task.request.finished) return;
    const { stream } = task;
    if (stream?.isBegun !== true && task.raw?.isUpgrade !== true) return this.#fail(task, error);
    if (task.observed !== undefined) this.observers.failed(task.observed, error);
    this.#report(task.request, error);
    stream!.breakOff();
  }

  /** Calls code of the app from outside, as an event would: an exception that it throws is uncaught. */
  #tell({ scope }: Task, call: () => void): void {
    try {
      scope.runInAsyncScope(call);
    } catch (error) {
      scope.runInAsyncScope(process.nextTick, process, rethrow, error);
    }
  }

  /** Completes a request whose response is written, or waits for an extent. */
  #settle(task: Task, outcome: typeof WRITTEN | typeof NO_ROOM): void {
    if (outcome === NO_ROOM) return this.#wait(task);
    this.#settledAt = this.#context.clock.nowUs();
    const handlerUs = this.#recordTimes(task, this.#settledAt);
    // With a streamed body, the time depends on the client.
    this.#finish(task, task.request.isBodyStreamed ? 0 : handlerUs);
  }

  /** Records the times of a handler that has settled. Returns how long it took, in microseconds. */
  #recordTimes({ startedAt, calledAt, yieldedUs, number, view, observed }: Task, now: number): number {
    const { times } = this.#context;
    if (observed !== undefined) this.observers.settled(observed, now);
    const handlerUs = Math.max(1, now - startedAt);
    times.recordHandler(handlerUs);
    if (times.routes !== undefined) {
      const resumedUs = yieldedUs < 0 ? 0 : this.#threadTime.resumedUs(now);
      const loopUs = yieldedUs < 0 ? now - calledAt : yieldedUs + resumedUs;
      times.routes.settled(number, handlerUs, loopUs, elapsedUs(now, view.submittedAt));
      this.#blocking.occupied(number, now - resumedUs, now);
    }
    return handlerUs;
  }

  #finish(task: Task, handlerUs: number): void {
    this.#cutOff(task);
    this.#events.onComplete(task.slot, handlerUs, task.hasPermit);
  }

  /** Ends a request: `req` and `res` have no effect from now on. */
  #cutOff(task: Task): void {
    this.#tasks.remove(task);
    this.#responder.discard(task);
    if (this.#waiting.size > 0 && this.#waiting.delete(task)) this.#stopWaiting();
    task.request.finish();
    task.response.finish();
    const { raw } = task;
    task.rawStream?.drop();
    if (raw !== undefined && !raw.isSettled) task.scope.runInAsyncScope(raw.onOver, raw);
  }

  // ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Tells all streams to end: those whose heads were sent, and those that begin later. */
  drain(): void {
    this.#isDraining = true;
    for (const task of this.#tasks) if (task.stream?.isBegun === true) tellClosing(task);
  }

  /** Called when the head of a stream was sent. Releases its permit and, if possible, its slot. */
  #begun(task: Task): void {
    if (this.#isDraining) tellClosing(task);
    this.#detach(task);
    if (!task.hasPermit) return;
    task.hasPermit = false;
    this.#events.onPermit();
  }

  /** Releases the slot, unless the handler still needs its memory. The stream continues without a slot. */
  #detach(task: Task): void {
    const { slot, view, request, hasPermit } = task;
    if (!task.hasSlot || request.finished || !request.detach()) return;
    this.#tasks.detach(task);
    task.hasPermit = false;
    view.mark(SLOT_STREAM_FLAG);
    this.#events.onComplete(slot, 0, hasPermit);
  }

  #ended(task: Task): void {
    if (!task.hasSlot) return this.#endDetached(task);
    task.view.mark(SLOT_STREAM_FLAG);
    this.#finish(task, 0);
  }

  #endDetached(task: Task): void {
    this.#cutOff(task);
    this.#events.onDetachedEnded();
  }

  // ── uncaught exceptions ─────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Returns the request in whose async context the caller runs, if it is in flight. A listener of `uncaughtException` runs in the
   * context of the code that threw.
   */
  culprit(): { id: string; method: string; target: string } | undefined {
    const task = this.#findCulprit();
    if (task === undefined) return undefined;
    const { id, method, target } = task.request;
    return { id, method, target };
  }

  /** Responds to that request with 500. Does nothing if no such request is in flight. */
  failCulprit(error: unknown): void {
    const task = this.#findCulprit();
    if (task === undefined) return;
    // A response that is already being sent can only be broken off.
    if (task.stream?.isBegun === true) return task.stream.breakOff();
    // The handler may still use the slot's memory, so the slot is kept until it settles or times out.
    if (task.request.isViewTaken && !task.hasSettled) return;
    this.#responder.discard(task);
    const { stream } = task;
    const failure = failureOf(error);
    this.#observeFailure(task, error, failure);
    this.#failPlainly(task, error, failure, true);
    stream?.cancel();
  }

  #findCulprit(): Task | undefined {
    const request = this.#running.getStore();
    if (request !== undefined) for (const task of this.#tasks) if (task.request === request) return task;
    return undefined;
  }

  // ── responses that wait for an extent ───────────────────────────────────────────────────────────────────────────

  #wait(task: Task): void {
    this.#waiting.add(task);
    const { counters } = this.#context;
    counters.add(COUNTER_EXTENT_WAITS_OFFSET, 1);
    counters.set(COUNTER_EXTENT_WAITING_OFFSET, this.#waiting.size);
    // Polling is cheaper than checking for waiting responses whenever an extent is released.
    this.#retries ??= setInterval(() => this.#retry(), RETRY_MS);
  }

  #retry(): void {
    // If a response found no room, larger ones will not find any either.
    let tooLarge = Number.POSITIVE_INFINITY;
    for (const task of this.#waiting) {
      const { bytes } = task.unsent!;
      if (bytes >= tooLarge) continue;
      if (this.#responder.retry(task) === NO_ROOM) {
        tooLarge = bytes;
        continue;
      }
      this.#settle(task, WRITTEN);
    }
  }

  #stopWaiting(): void {
    this.#context.counters.set(COUNTER_EXTENT_WAITING_OFFSET, this.#waiting.size);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#retries);
    this.#retries = undefined;
  }

  // ── requests whose handlers time out ────────────────────────────────────────────────────────────────────────────

  /**
   * Called when the HTTP thread has responded with 504 because the handler took too long. Ends the request and releases its permit and
   * its slot. If the handler has a view of the slot's memory, the slot is kept until the handler settles.
   */
  abandon(name: RequestName): void {
    const task = this.#tasks.find(name);
    if (task === undefined) return;
    if (task.observed !== undefined) this.observers.timedOut(task.observed);
    task.request.abort();
    task.stream?.cancel();
    this.#abandon(task);
  }

  /** Releases what a request holds once nobody waits for it, except memory that its handler may still read. */
  #abandon(task: Task): void {
    if (task.request.finished) return;
    if (!task.hasSettled) {
      task.isAbandoned = true;
      this.#countAbandoned(1);
    }
    this.#giveBack(task);
  }

  #giveBack(task: Task): void {
    const { slot, view, request } = task;
    if (!task.hasSlot) return this.#endDetached(task);
    view.mark(SLOT_ABANDONED_FLAG);
    this.#cutOff(task);
    if (request.isViewTaken && !task.hasSettled) {
      if (task.hasPermit) this.#events.onPermit();
    } else this.#events.onComplete(slot, 0, task.hasPermit);
  }

  /** Called when the handler of a finished request settles. */
  #settledLate(task: Task): void {
    task.hasSettled = true;
    if (!task.isAbandoned) return;
    task.isAbandoned = false;
    this.#countAbandoned(-1);
    if (task.request.isViewTaken) this.#context.side.complete(task.slot, false);
  }

  #countAbandoned(by: 1 | -1): void {
    const { channel, counters, maxAbandoned } = this.#context;
    this.#abandoned += by;
    counters.set(COUNTER_ABANDONED_OFFSET, this.#abandoned);
    if (maxAbandoned === 0 || by < 0 || this.#abandoned !== maxAbandoned + 1) return;
    channel.postMessage({ type: 'crowded' } satisfies ShardReport);
  }

  #report(request: SlotRequest, error: unknown): void {
    const { id, method, target } = request;
    const report: ShardReport = {
      type: 'failure',
      message: `${method} ${target} failed`,
      error: describe(error),
      request: { id, method, target },
    };
    this.#context.channel.postMessage(report);
  }
}

interface Gathered {
  task: Task;
  handler: Handler;
}

function rethrow(error: unknown): never {
  throw error;
}

function endHalfClosed(handlers: Handlers, task: Task): void {
  if (!task.request.finished) handlers.destroy(task);
}

/** Aborts a stream so that an endless source stops. */
function tellClosing({ request }: Task): void {
  request.abort(false, new LoopShardError('SERVER_CLOSING', 'The server is closing.'));
}

/** @throws LoopShardError CONTEXT_INVALID, or whatever `entry` throws */
function enterContext(entry: ContextEntry, request: AppRequest): AsyncResource {
  let scope: AsyncResource | undefined;
  entry(request, () => {
    scope = newScope();
  });
  if (scope !== undefined) return scope;
  throw new LoopShardError(
    'CONTEXT_INVALID',
    'The function passed to `app.context()` returned without calling `run`. Call `run()` before it returns.',
  );
}

/**
 * Lets code that outlives the handler run in the async context that the handler has entered, for instance with `enterWith`. From Node.js 24
 * on, the scope in which the handler was called does not have it.
 */
function keepContext(task: Task): void {
  task.scope = newScope();
}

function newScope(): AsyncResource {
  return new AsyncResource('LOOPSHARD_REQUEST', SCOPE);
}

/** Whether the request has waited in the queue for too long. */
function isLate({ queueDeadline }: SlotView, now: number): boolean {
  // 32 bits are wide enough: the HTTP thread takes a late request back long before the difference wraps.
  return queueDeadline !== 0 && ((now - queueDeadline) | 0) >= 0;
}
