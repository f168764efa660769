import type { AsyncResource } from 'node:async_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { COUNTER_OBSERVED_OFFSET, SLOT_OBSERVED_FLAG } from '../../../assembly/layout.js';
import type { RequestEvent } from '../../app/request-events.js';
import { clientOf } from '../../contract/client.js';
import { describe } from '../../contract/describe.js';
import { httpOf } from '../../contract/memory-map.js';
import { type FailureReport, requestKey, type UnhandledRequest } from '../../contract/messages.js';
import { readReports, type SentReport } from '../../contract/sent-reports.js';
import { elapsedUs } from '../../core/clock.js';
import { NumberedRoster } from '../../core/roster.js';
import type { ShardContext } from '../context.js';
import type { Task } from '../tasks.js';
import { END, ERROR, haveSubscribers, SETTLED, START } from './channels.js';
import type { ObservedRequest } from './observed-request.js';
import type { RequestSpan, RequestTracer, TracedHead } from './request-tracer.js';

/** Captured when the module is loaded, because a handler may replace the global. */
const RealDate = Date;

const US_PER_MS = 1_000;
/** How long a shard that ends waits for reports about its last responses, unless clients are slow. */
const LAST_REPORTS_MS = 500;

/**
 * Traces the requests of a shard, and publishes their events. The HTTP thread reports the end of each: a request is observed until then,
 * although its handler has settled. Failures of the user's SDK never fail a request. Shard only.
 */
export class Observers {
  /** Somebody observes. As of the latest claim. */
  isOn = false;
  readonly #context: ShardContext;
  readonly #newScope: () => AsyncResource;
  #tracer: RequestTracer | undefined;
  /** Requests whose ends were not reported yet, by `requestKey`. */
  readonly #open = new NumberedRoster<ObservedRequest>();
  #onNoneOpen: (() => void) | undefined;
  #hasFailed = false;

  /** @param newScope creates an async scope in the current async context */
  constructor(context: ShardContext, newScope: () => AsyncResource) {
    this.#context = context;
    this.#newScope = newScope;
  }

  trace(tracer: RequestTracer): void {
    this.#tracer = tracer;
    this.refresh();
  }

  /** Looks for subscribers. */
  refresh(): void {
    const isOn = this.#tracer !== undefined || haveSubscribers();
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.#context.counters.set(COUNTER_OBSERVED_OFFSET, isOn ? 1 : 0);
  }

  /**
   * Begins to observe a request, before any of its code runs. Replaces its scope by one in its context.
   * @param now times by the server's clock
   */
  begin(task: Task, now: number, claimedAt: number): void {
    const { view, req, number } = task;
    const { method, target } = req;
    const epochMs = epochAt(now);
    const arrivedAt = epochMs + Math.min(claimedAt, now - elapsedUs(now, view.arrivedAt)) / US_PER_MS;
    const head = { method, target, route: this.#patternOf(number), arrivedAt };
    const tracer = this.#tracer;
    const started = tracer && this.#guard(() => tracer.start(req, head));
    const isListened = haveSubscribers();
    const enter = () => {
      if (started?.span === undefined && !isListened) task.scope = this.#newScope();
      else this.#observe(task, head, started?.span, { now, claimedAt, epochMs });
    };
    if (started === undefined) enter();
    else this.#guard(() => tracer!.within(started.context, enter));
  }

  /** In the context of the span. */
  #observe(
    task: Task,
    { method, target, route, arrivedAt }: Pick<RequestEvent, 'method' | 'target' | 'route' | 'arrivedAt'>,
    span: RequestSpan | undefined,
    { now, claimedAt, epochMs }: { now: number; claimedAt: number; epochMs: number },
  ): void {
    const { view, slot, sequence, req } = task;
    const { shard, group } = this.#context;
    const at = (us: number) => epochMs + us / US_PER_MS;
    const event: ObservedRequest['event'] = {
      shard,
      group,
      method,
      target,
      route,
      request: req,
      arrivedAt,
      // The clocks of threads differ by a microsecond or two.
      queuedAt: at(Math.min(claimedAt, now - elapsedUs(now, view.submittedAt))),
      claimedAt: at(claimedAt),
      startedAt: undefined,
      settledAt: undefined,
      endedAt: undefined,
      statusCode: undefined,
      isAborted: false,
      error: undefined,
      code: undefined,
    };
    const observed: ObservedRequest = { slot, sequence, event, span, epochMs };
    task.observed = observed;
    this.#open.set(requestKey(observed), observed);
    view.mark(SLOT_OBSERVED_FLAG);
    if (span !== undefined) {
      this.#guard(() => {
        span.describe(shard, group);
        span.add('queued', event.queuedAt);
        span.add('claimed', event.claimedAt);
      });
    }
    task.scope = START.hasSubscribers ? START.runStores(event, this.#newScope) : this.#newScope();
  }

  /** The handler is called. */
  started({ event, span, epochMs }: ObservedRequest, us: number): void {
    event.startedAt = epochMs + us / US_PER_MS;
    if (span !== undefined) this.#guard(() => span.add('started', event.startedAt));
  }

  /** The handler, or an error handler, has failed. */
  failed({ event, span, epochMs }: ObservedRequest, error: unknown): void {
    event.error = error;
    const ms = epochMs + this.#context.clock.nowUs() / US_PER_MS;
    if (span !== undefined) this.#guard(() => span.fail(error, ms));
    if (ERROR.hasSubscribers) ERROR.publish(event);
  }

  /** The handler has settled, or its stream begins. */
  settled({ event, span, epochMs }: ObservedRequest, us: number): void {
    event.settledAt = epochMs + us / US_PER_MS;
    if (span !== undefined) this.#guard(() => span.add('settled', event.settledAt));
    if (SETTLED.hasSubscribers) SETTLED.publish(event);
  }

  /** The request gets 504. */
  timedOut({ event }: ObservedRequest): void {
    event.code = 'HANDLER_TIMEOUT';
  }

  // ── what the HTTP thread reports ────────────────────────────────────────────────────────────────────────────────

  onReports(reports: Float64Array): void {
    readReports(reports, (report) => {
      const observed = this.#open.get(requestKey(report));
      if (observed !== undefined) this.#end(observed, report);
    });
  }

  #end(observed: ObservedRequest, { status, endedAt, isAborted }: Omit<SentReport, 'slot' | 'sequence'>): void {
    const { event, span, epochMs } = observed;
    this.#open.delete(requestKey(observed));
    event.endedAt = Math.max(epochMs + endedAt / US_PER_MS, event.settledAt ?? 0);
    event.statusCode = status || undefined;
    event.isAborted = isAborted;
    if (span !== undefined) this.#guard(() => span.end(event));
    if (END.hasSubscribers) END.publish(event);
    if (this.#open.size === 0) this.#onNoneOpen?.();
  }

  onUnhandled(requests: readonly UnhandledRequest[]): void {
    for (const request of requests) this.#observeUnhandled(request);
  }

  #observeUnhandled(request: UnhandledRequest): void {
    const { method, target, route, status, isAborted, code } = request;
    const { shard, group, clock } = this.#context;
    const epochMs = epochAt(clock.nowUs());
    const at = (us: number) => epochMs + us / US_PER_MS;
    const maybeAt = (us: number | undefined) => (us === undefined ? undefined : at(us));
    const event: RequestEvent = {
      shard,
      group,
      method,
      target,
      route: this.#patternOf(route),
      request: undefined,
      arrivedAt: at(request.arrivedAt),
      queuedAt: maybeAt(request.queuedAt),
      claimedAt: undefined,
      startedAt: maybeAt(request.startedAt),
      settledAt: undefined,
      endedAt: at(request.endedAt),
      statusCode: status || undefined,
      isAborted,
      error: undefined,
      code,
    };
    this.#guard(() => {
      const span = this.#tracer?.start(new UnhandledHead(request, this.#context), event).span;
      span?.add('queued', event.queuedAt);
      span?.add('started', event.startedAt);
      span?.end(event);
    });
    if (END.hasSubscribers) END.publish(event);
  }

  /**
   * An HTTP thread has ended: nobody reports the ends of its requests.
   * @param isLive whether the request is one of the thread that replaces it
   */
  onHttpThreadGone(http: number, isLive: (observed: ObservedRequest) => boolean): void {
    for (const observed of this.#open) {
      if (httpOf(this.#context.map, observed.slot) === http && !isLive(observed)) this.#lose(observed);
    }
  }

  /** Waits for the last reports, and ends what is left. */
  async finish(): Promise<void> {
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LAST_REPORTS_MS);
        this.#onNoneOpen = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const observed of this.#open) this.#lose(observed);
  }

  /** Ends a request of which nothing more will be known. */
  #lose(observed: ObservedRequest): void {
    this.#end(observed, { status: 0, endedAt: this.#context.clock.nowUs(), isAborted: true });
  }

  // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The pattern of a route, unless an app of another framework has the actual one. */
  #patternOf(number: number): string | undefined {
    const route = number < 0 ? undefined : this.#context.app.route(number);
    return route === undefined || route.hasOwnRoutes ? undefined : route.pattern;
  }

  /** Calls code of the user's SDK. Its first failure is reported. */
  #guard<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (!this.#hasFailed) {
        const report: FailureReport = { type: 'failure', message: 'tracing a request failed', error: describe(error) };
        this.#context.channel.postMessage(report);
      }
      this.#hasFailed = true;
      return undefined;
    }
  }
}

/** The head of a request that no handler on this shard has seen. */
class UnhandledHead implements TracedHead {
  readonly method: TracedHead['method'];
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly httpVersion: '1.0' | '1.1';
  readonly ip: string | undefined;
  readonly protocol: 'http' | 'https';
  readonly host: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;

  constructor({ method, target, isHttp10, pairs, peer }: UnhandledRequest, { trusted }: ShardContext) {
    this.method = method as TracedHead['method'];
    this.target = target;
    this.httpVersion = isHttp10 ? '1.0' : '1.1';
    this.rawHeaders = pairs;
    const { ips, protocol, host } = clientOf(peer, trusted, (name) => this.header(name));
    this.ip = ips[0];
    this.protocol = protocol;
    this.host = host;
    this.remoteAddress = peer.address;
    this.remotePort = peer.address === undefined ? undefined : peer.port;
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const values = this.rawHeaders.filter((_, i) => i % 2 === 1 && this.rawHeaders[i - 1].toLowerCase() === wanted);
    return values.length === 0 ? undefined : values.join(', ');
  }
}

/**
 * Milliseconds since 1970 at the epoch of the server's clock. By the system's clock in whole milliseconds at `now`, because spans of
 * handlers begin by that: they must not seem to begin before the handler.
 */
function epochAt(now: number): number {
  return RealDate.now() - now / US_PER_MS;
}
