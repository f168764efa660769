import { clearTimeout, setTimeout } from 'node:timers';
import type { ShardInfo } from '../app/handler.js';
import type { HealthCheckDefinition } from '../app/health.js';
import { describe, type ErrorText } from '../contract/describe.js';
import type { CheckReport, UnhealthyReport } from '../contract/messages.js';

/** A timer that fires this much later than it should shows that the event loop was blocked. */
const BLOCKED_MS = 50;

/** Runs the health checks of the app, and reports each result that differs from the last one. Shard only. */
export class HealthChecks {
  readonly #checks: readonly RepeatedCheck[];

  constructor(
    checks: readonly HealthCheckDefinition[],
    info: ShardInfo,
    report: (message: CheckReport | UnhealthyReport) => void,
  ) {
    this.#checks = checks.map((check) => new RepeatedCheck(check, info, report));
  }

  /** Starts them. Resolves when each has run once; never rejects. */
  async start(): Promise<void> {
    await Promise.all(this.#checks.map((check) => check.run()));
  }

  /** The shard is ready: from now on it may be replaced because of them. */
  begin(): void {
    for (const check of this.#checks) check.isCounted = true;
  }

  /** Starts no further run; the results of current ones are not reported. */
  stop(): void {
    for (const check of this.#checks) check.stop();
  }
}

/** One check, which passes until it has failed. */
class RepeatedCheck {
  readonly #definition: HealthCheckDefinition;
  readonly #info: ShardInfo;
  readonly #report: (message: CheckReport | UnhealthyReport) => void;
  /** Whether `replaceAfter` applies. */
  isCounted = false;
  /** Failures since it has passed. */
  #failures = 0;
  /** They were reported as too many. */
  #isReported = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    definition: HealthCheckDefinition,
    info: ShardInfo,
    report: (message: CheckReport | UnhealthyReport) => void,
  ) {
    this.#definition = definition;
    this.#info = info;
    this.#report = report;
  }

  /** Runs the check, and again after each interval. Resolves when this run has ended. */
  async run(): Promise<void> {
    const { name, intervalMs, replaceAfter } = this.#definition;
    const error = await this.#failure();
    if (this.#isOver) return;
    const failures = error === undefined ? 0 : this.#failures + 1;
    if (failures > 0 !== this.#failures > 0) this.#report({ type: 'check', name, error });
    this.#failures = failures;
    const isUnhealthy = replaceAfter > 0 && failures >= replaceAfter && this.isCounted;
    if (isUnhealthy && !this.#isReported) this.#report({ type: 'unhealthy', name });
    this.#isReported = isUnhealthy;
    this.#timer = setTimeout(() => void this.run(), intervalMs).unref();
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** Why the check fails; undefined if it passes. */
  async #failure(): Promise<ErrorText | undefined> {
    const { check, timeoutMs } = this.#definition;
    const aborting = new AbortController();
    const limit = new Limit(timeoutMs);
    const run = async () => check({ ...this.#info, signal: aborting.signal });
    try {
      const result = await Promise.race([run(), limit.expired]);
      return result === false ? describe(new Error('it returned false')) : undefined;
    } catch (error) {
      if (limit.isExpired) aborting.abort(error);
      return describe(error);
    } finally {
      limit.clear();
    }
  }
}

/** The time limit of a run. If a handler has blocked the event loop meanwhile, the run gets the time once more. */
class Limit {
  readonly expired: Promise<never>;
  isExpired = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    const dueAt = performance.now() + ms;
    this.expired = new Promise((_resolve, reject) => {
      const expire = () => {
        this.isExpired = true;
        reject(new Error(`it has not settled within ${ms} ms`));
      };
      this.#timer = setTimeout(() => {
        if (performance.now() - dueAt < BLOCKED_MS) return expire();
        this.#timer = setTimeout(expire, ms);
      }, ms);
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
