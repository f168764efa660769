import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { AdminServer } from '../admin/admin-server.js';
import { sumHttpFigures } from '../contract/http-figures.js';
import { runApart } from '../core/apart.js';
import { Clock } from '../core/clock.js';
import { LoopShardError } from '../errors.js';
import type { Reason } from '../http/answers.js';
import type { HttpFailure, HttpStats } from '../http/http-control.js';
import { type UpgradeListener, Upgrades } from '../http/socket/upgrade.js';
import type { MetricFigures } from '../metrics/figures.js';
import type { MetricsText } from '../metrics/registry.js';
import { alternatives, Subject } from '../options/checks.js';
import { checkSecureContext } from '../options/listening.js';
import type { Logger } from '../options/logger.js';
import type { ResolvedOptions } from '../options/options.js';
import type { UpgradeOptions } from '../options/protocols.js';
import { type Group, MAX_PERMITS } from '../options/scheduling.js';
import type { StartThread } from '../pool/shard-thread.js';
import { ServerForAdmin } from './admin-subject.js';
import { CallingThread, type HttpThreads } from './http-threads.js';
import { HttpWorkers } from './http-workers.js';
import { MetricSources } from './metric-sources.js';
import { createRevisionMemory, Revision, type RevisionEvents } from './revision.js';
import type { ServerEvents } from './server-events.js';
import { removeOnExit, removeStaleSocket } from './socket-file.js';
import type { ServerState, ServerStats } from './stats.js';

/** The permits that `setPermits` changes: those of one shard, of each shard of a group, or of a route with `maxConcurrency`. */
export type PermitHolder = { shard: number } | { group: string } | { route: string };

/** A route of the app. */
export interface RouteInfo {
  /** Names of methods, such as `GET`. */
  methods: readonly string[];
  /** Such as `/users/:id`. */
  pattern: string;
}

/** A running server. */
export interface Server extends EventEmitter<ServerEvents> {
  /** Phase in the life of the server. */
  readonly state: ServerState;
  /** The address on which every HTTP thread listens. For a Unix socket `address` is its path, `family` is `Unix` and `port` 0. */
  address(): AddressInfo;
  /**
   * Sets the keys and certificates for new connections; open connections keep theirs.
   * @param options as for `tls.createSecureContext`
   * @throws LoopShardError OPTION_INVALID for a server without TLS, TLS_INVALID
   */
  setSecureContext(options: SecureContextOptions): void;
  /**
   * Sets the listener for connections whose clients offer one of `options.protocols` (RFC 9110 section 7.8; default: WebSocket).
   * Other offers, and requests with a body, are handled as plain HTTP. One listener at a time; `undefined` removes it. It runs on the
   * HTTP thread: keep it short. `ws` with `noServer: true` can serve as one (examples/websocket). An error that it throws or rejects with
   * closes its connection and is logged.
   * @throws LoopShardError OPTION_INVALID; also with several HTTP threads, which take their listener from `httpModule`
   */
  onUpgrade(listener: UpgradeListener | undefined, options?: UpgradeOptions): void;
  /**
   * Returns the current figures. With several HTTP threads it asks all of them and blocks until they have replied: usually less than a
   * millisecond, at most half a second; threads that take longer are left out.
   */
  stats(): ServerStats;
  /**
   * Returns metrics in Prometheus' text format, as docs/metrics.md describes them. They are read without asking other threads, which may be
   * busy: some figures of several HTTP threads are up to half a second old.
   * @throws LoopShardError METRICS_DISABLED if the server was started with `metrics: false`
   */
  metrics(): Promise<string>;
  /** Returns the routes of the app, in the order in which they were added. */
  routes(): readonly RouteInfo[];
  /**
   * Changes how many handlers may be in flight; running handlers are not affected.
   * @param permits 1 to 65,536
   * @param of default: every shard; a route is named by method and pattern, such as `GET /report`
   * @throws LoopShardError OPTION_INVALID
   */
  setPermits(permits: number, of?: PermitHolder): void;
  /**
   * Loads the module again, with all modules that it imports, on new shards beside the current ones; then new requests go to the new shards,
   * and the old ones finish theirs and end, within `timeouts.closeTimeoutMs`. No request fails. Routes, schemas and options of routes may
   * change; options of the server and the functions of `httpModule` stay. Called during a reload, it starts another one afterwards.
   * @returns resolves when new requests go to the new shards on every HTTP thread
   * @throws LoopShardError RELOAD_UNSUPPORTED, NOT_RUNNING, and as `serve()` if the module does not load; the old shards then continue
   */
  reload(): Promise<void>;
  /**
   * Replaces a shard by another one that starts beside it, which then gets the requests; the old one finishes its requests and ends, within
   * `timeouts.closeTimeoutMs`. No request fails. Replacements in one group follow each other.
   * @param shard a number from `stats().shards`
   * @returns the number of the new shard, when it gets the requests
   * @throws LoopShardError OPTION_INVALID, RELOAD_UNSUPPORTED, NOT_RUNNING, and as `serve()` if the module does not load; the old shard then
   * continues
   */
  restartShard(shard: number): Promise<number>;
  /** Where the admin listener listens; undefined without the option `admin`. */
  adminAddress(): AddressInfo | undefined;
  /** Where HAProxy's agent check connects; undefined without the option `admin.agentPort`. */
  agentAddress(): AddressInfo | undefined;
  /**
   * Drains: stops accepting connections, finishes requests in flight with `connection: close`, and ends the shards in order.
   * At the end of `timeouts.closeTimeoutMs` it closes the remaining connections, upgraded ones included, and terminates shards that have not
   * ended. A tenth of the part above 250 ms, at most 500 ms, is reserved for ending the shards. Calling it again returns the same promise.
   */
  close(): Promise<void>;
  /** Ends everything immediately, dropping requests in flight. */
  destroy(): Promise<void>;
}

/** Milliseconds of `timeouts.closeTimeoutMs` that are reserved for requests. */
const REQUESTS_MS = 250;
/** Fraction of the rest that is reserved for shards to end if requests have not finished by then, and its maximum in milliseconds. */
const SHARDS_END_PART = 0.1;
const SHARDS_END_MS = 500;
/** How often it is checked whether upgraded connections are closed. */
const LOOK_MS = 10;

/** The part of `closeTimeoutMs` that is reserved for shards to end. */
function reserveMs(closeTimeoutMs: number): number {
  return Math.min(SHARDS_END_MS, Math.max(0, closeTimeoutMs - REQUESTS_MS) * SHARDS_END_PART);
}

const LOCAL = 'with `shards: 0`: the module is loaded in this thread, which cannot unload it.';

function checkHolder(holder: PermitHolder, subject: Subject): void {
  const names = Object.keys(holder);
  if (names.length === 1 && ['shard', 'group', 'route'].includes(names[0])) return;
  throw subject.wrong(
    `Cannot set permits of \`${JSON.stringify(holder)}\`: expected one of \`shard\`, \`group\` and \`route\`.`,
  );
}

function closedMeanwhile(): LoopShardError {
  return new LoopShardError('NOT_RUNNING', 'The server was closed during the reload.');
}

const HTTP_FAILURES: Record<HttpFailure, string> = {
  connection: 'a connection failed and was closed',
  upgrade: 'the listener of onUpgrade threw',
  accept: 'a connection could not be accepted',
  priority: 'the option `priority` failed; such requests get priority `normal`',
};

export class RunningServer extends EventEmitter<ServerEvents> implements Server {
  readonly #source: { module: string; epochMs: number; startThread: StartThread | undefined };
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #http: HttpThreads;
  /** The revision that gets new requests. */
  #current: Revision;
  /** Revisions that are starting, or are finishing their requests. */
  readonly #others = new Set<Revision>();
  #lastRevision = 0;
  #reloading: Promise<void> | undefined;
  #nextReload: Promise<void> | undefined;
  /** Ends the start, or a reload before it has switched. */
  #endLoading: ((error: LoopShardError) => void) | undefined;
  /** Those that are logged once. */
  readonly #warnings = new Set<string>();
  /** What `setPermits` has changed, by holder, for the shards of reloads. */
  readonly #permitChanges = new Map<string, { permits: number; of: PermitHolder | undefined }>();
  readonly #sources: MetricSources;
  #admin: AdminServer | undefined;
  #metricsText: Promise<MetricsText> | undefined;
  #state: ServerState = 'starting';
  #closed: Promise<void> | undefined;
  #endDelay: (() => void) | undefined;
  /** Cancels the removal of the Unix socket's file at exit. */
  #forgetFile: (() => void) | undefined;

  /**
   * @param module URL
   * @param startThread starts a shard if it is not to run on a worker thread
   */
  constructor(module: string, options: ResolvedOptions, logger: Logger, startThread?: StartThread) {
    super();
    this.#options = options;
    this.#logger = logger;
    const { epochMs } = new Clock();
    this.#source = { module, epochMs, startThread };
    const events = {
      onShedding: (revision: number, shard: number, shedding: boolean) =>
        this.#revision(revision)?.onShedding(shard, shedding),
      onFailure: (what: HttpFailure, error: unknown) => this.#logger.error({ err: error }, HTTP_FAILURES[what]),
      log: logger,
    };
    this.#http =
      options.httpThreads === 1
        ? new CallingThread(options, epochMs, { ...events, onUnknown: () => {} })
        : new HttpWorkers(options, epochMs, {
            ...events,
            onHttpThreadEnded: (http, error, nextMs) =>
              this.#logger.error({ http, err: error, nextMs }, `${error.message} Its connections were closed.`),
            onHttpThreadRestarted: (http) => this.#logger.info({ http }, `HTTP thread ${http} is listening again`),
            tellGone: (revision, http, requests) => this.#revision(revision)!.pool.tellGone(http, requests),
            connectHttp: (revision, http) => this.#revision(revision)!.pool.connectHttp(http),
          });
    this.#sources = new MetricSources(this.#http);
    this.#current = this.#createRevision(0);
  }

  /** @throws LoopShardError MEMORY_EXHAUSTED */
  #createRevision(number: number): Revision {
    const events: RevisionEvents = {
      tell: (name, ...args) => this.#tell(name, ...args),
      isReady: () => this.#state === 'ready',
      warnOnce: (details, message) => {
        if (this.#warnings.has(message)) return;
        this.#warnings.add(message);
        this.#logger.warn(details, message);
      },
    };
    const memory = createRevisionMemory(this.#options);
    return new Revision(number, memory, this.#source, this.#options, this.#logger, this.#http, events);
  }

  #revision(number: number): Revision | undefined {
    return [this.#current, ...this.#others].find((revision) => revision.number === number);
  }

  get state(): ServerState {
    return this.#state;
  }

  #become(state: ServerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell('state', state);
  }

  /** Emits an event. Listeners are user code: what they throw is logged. */
  #tell<Name extends keyof ServerEvents>(name: Name, ...args: ServerEvents[Name]): void {
    try {
      runApart(() => (this.emit as (name: string, ...args: unknown[]) => boolean)(name, ...args));
    } catch (error) {
      this.#logger.error({ err: error }, `a listener of the event \`${name}\` threw`);
    }
  }

  async start(): Promise<void> {
    try {
      await this.#http.start();
      const { number, core, map } = this.#current;
      this.#http.open(number, core, map);
      const loaded = Promise.all([this.#current.start(), this.#http.loaded()]);
      const [table] = await Promise.race([loaded, this.#loadingEnded()]);
      await this.#http.prepare(number, table, this.#current.routeCounts);
      await this.#http.switchTo(number);
      const { path } = this.#options.listening.target;
      const isFile = path !== undefined && process.platform !== 'win32' && !path.startsWith('\0');
      if (isFile) await removeStaleSocket(path);
      await this.#http.listen();
      if (isFile) this.#forgetFile = removeOnExit(path);
      await this.#openAdmin();
      this.#become('ready');
    } catch (error) {
      this.#become('failed');
      await this.#admin?.close();
      this.#http.tell({ type: 'destroy' });
      await Promise.all([this.#current.destroy(), this.#http.end()]);
      throw error;
    }
  }

  /** @throws LoopShardError PORT_IN_USE, LISTEN_FAILED */
  async #openAdmin(): Promise<void> {
    const { admin } = this.#options;
    if (admin === undefined) return;
    const { AdminServer } = await import('../admin/admin-server.js');
    this.#admin = new AdminServer(
      admin,
      new ServerForAdmin(
        this,
        this.#options.metrics,
        () => this.#current,
        () => this.#figures(),
      ),
    );
    await this.#admin.listen();
  }

  adminAddress(): AddressInfo | undefined {
    return this.#admin?.address();
  }

  agentAddress(): AddressInfo | undefined {
    return this.#admin?.agentAddress();
  }

  address(): AddressInfo {
    return this.#http.addresses[0];
  }

  /** The address of each HTTP thread. */
  get addresses(): readonly AddressInfo[] {
    return this.#http.addresses;
  }

  setSecureContext(options: SecureContextOptions): void {
    if (this.#options.listening.tls === undefined) {
      throw new LoopShardError(
        'OPTION_INVALID',
        'Cannot set certificates: the server was started without the option `tls`.',
      );
    }
    checkSecureContext(options);
    this.#http.tell({ type: 'secureContext', options });
  }

  onUpgrade(listener: UpgradeListener | undefined, options: UpgradeOptions = {}): void {
    this.#http.setUpgrades(listener && new Upgrades(listener, options));
  }

  /** Earlier revisions that are finishing their requests. */
  get retiring(): number {
    return [...this.#others].filter(({ number }) => number < this.#current.number).length;
  }

  // ── figures and limits ──────────────────────────────────────────────────────────────────────────────────────────

  stats(): ServerStats {
    const { number, map, pool, limited, shedding, routes } = this.#current;
    const http = this.#http.stats();
    const { permits } = this.#options;
    const sum = (of: (one: HttpStats) => number) => http.reduce((total, one) => total + of(one), 0);
    const refused: ServerStats['refused'] = {};
    for (const [reason, count] of http.flatMap((one) => Object.entries(one.refused) as [Reason, number][])) {
      refused[reason] = (refused[reason] ?? 0) + count;
    }
    return {
      state: this.#state,
      revision: number,
      retiring: this.retiring,
      httpThreads: http.length,
      connections: sum(({ connections }) => connections),
      connectionsRefused: sum(({ connectionsRefused }) => connectionsRefused),
      outstanding: sum(({ owed }) => owed),
      slots: { free: sum(({ freeSlots }) => freeSlots), total: map.slots },
      extents: pool.extents(),
      lostWakeUps: sum(({ lostWakeUps }) => lostWakeUps),
      pauses: sum(({ pauses }) => pauses),
      refused,
      threads: [this.#current, ...this.#others].reduce((total, revision) => total + revision.pool.threads, 0),
      shards: pool.stats().map(({ shortMeanUs, longMeanUs, ...one }) => ({
        ...one,
        outstanding: sum(({ outstanding }) => outstanding[one.shard]),
        queued: sum(({ queued }) => queued[one.shard]),
        queueAgeMs: Math.max(0, ...http.map(({ waitsUs }) => waitsUs[one.shard])) / 1_000,
        limiter: permits.adaptive && { ...permits.adaptive, shortMeanUs, longMeanUs },
        shedding: shedding.has(one.shard),
      })),
      groups: pool.groupFigures(),
      routeCount: routes.length,
      routes: [...limited].map(([route, { available, limit }], index) => ({
        route,
        permits: { available, limit },
        waiting: sum(({ waiting }) => waiting[index]),
      })),
    };
  }

  async metrics(): Promise<string> {
    this.#metricsText ??= import('../metrics/registry.js').then(({ MetricsText }) => {
      return new MetricsText(() => this.#figures());
    });
    return (await this.#metricsText).text();
  }

  /** @throws LoopShardError METRICS_DISABLED */
  #figures(): MetricFigures {
    if (this.#options.metrics) return this.#sources.figures(this.#state === 'ready', this.#current, this.#others);
    throw new LoopShardError(
      'METRICS_DISABLED',
      'The server does not count metrics. Start it without `metrics: false`.',
    );
  }

  routes(): readonly RouteInfo[] {
    return this.#current.routes.map(({ methods, pattern }) => ({ methods, pattern }));
  }

  setPermits(permits: number, of?: PermitHolder): void {
    const subject = new Subject('OPTION_INVALID');
    subject.integer('permits', permits, 1, MAX_PERMITS);
    if (of !== undefined) checkHolder(of, subject);
    if (of !== undefined && 'route' in of) {
      if (!this.#current.limited.has(of.route))
        throw subject.wrong(`Cannot set permits of route \`${of.route}\`: it was defined without \`maxConcurrency\`.`);
    } else {
      if (this.#options.permits.adaptive !== undefined) {
        throw subject.wrong(
          'Cannot set permits: the limiter sets adaptive permits. Start the server with a number for `scheduling.permits`.',
        );
      }
      if (of !== undefined && 'shard' in of) this.#running(of.shard, subject);
      else this.#groupsOf(of, subject);
    }
    this.#applyPermits(this.#current, permits, of);
    // The latest change is applied last. After a reload, the number of a shard is its seat.
    const later = of !== undefined && 'shard' in of ? { shard: this.#current.pool.seatOf(of.shard) } : of;
    const holder = JSON.stringify(later ?? {});
    this.#permitChanges.delete(holder);
    this.#permitChanges.set(holder, { permits, of: later });
  }

  #applyPermits(revision: Revision, permits: number, of: PermitHolder | undefined): void {
    if (of !== undefined && 'route' in of) {
      revision.limited.get(of.route)?.setLimit(permits);
      return revision.permitsChanged();
    }
    if (of !== undefined && 'shard' in of) return revision.pool.setPermits(of.shard, permits);
    for (const group of this.#groupsOf(of, new Subject('OPTION_INVALID')))
      revision.pool.setGroupPermits(group, permits);
  }

  #groupsOf(of: { group: string } | undefined, subject: Subject): Group[] {
    const { groups } = this.#options;
    if (of === undefined) return groups;
    const names = groups.map(({ name }) => name);
    return [groups[names.indexOf(subject.oneOf('group', of.group, names))]];
  }

  /** Checks the number of a shard that runs. */
  #running(shard: number, subject: Subject): number {
    const { running } = this.#current.pool;
    if (running.includes(shard)) return shard;
    throw subject.invalid('shard', `the number of a shard: ${alternatives(running)}`, shard);
  }

  async restartShard(shard: number): Promise<number> {
    this.#running(shard, new Subject('OPTION_INVALID'));
    if (this.#state !== 'ready') {
      throw new LoopShardError('NOT_RUNNING', `Cannot restart a shard: the server is ${this.#state}.`);
    }
    if (this.#options.isLocal) throw new LoopShardError('RELOAD_UNSUPPORTED', `Cannot restart a shard ${LOCAL}`);
    return this.#current.pool.restart(shard);
  }

  // ── reload ──────────────────────────────────────────────────────────────────────────────────────────────────────

  reload(): Promise<void> {
    // It has not begun, even if the one before it has just ended.
    if (this.#nextReload !== undefined) return this.#nextReload;
    if (this.#reloading === undefined) return this.#beginReload();
    this.#nextReload = this.#reloading
      .catch(() => {})
      .then(() => {
        this.#nextReload = undefined;
        return this.#beginReload();
      });
    return this.#nextReload;
  }

  #beginReload(): Promise<void> {
    this.#reloading = this.#reload().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async #reload(): Promise<void> {
    if (this.#state !== 'ready') {
      throw new LoopShardError('NOT_RUNNING', `Cannot reload: the server is ${this.#state}.`);
    }
    if (this.#options.isLocal) {
      throw new LoopShardError('RELOAD_UNSUPPORTED', `Cannot reload ${LOCAL}`);
    }
    const next = await this.#prepareNext().catch((error) => {
      this.#sources.reloadFailed();
      throw error;
    });
    await this.#switchTo(next);
  }

  /**
   * Starts the shards of the next revision, and prepares the HTTP threads for its requests.
   * @throws LoopShardError as `Revision.start` and `HttpThreads.prepare`, MEMORY_EXHAUSTED, NOT_RUNNING: nothing is left of it then
   */
  async #prepareNext(): Promise<Revision> {
    const number = ++this.#lastRevision;
    const next = this.#createRevision(number);
    this.#others.add(next);
    this.#http.open(number, next.core, next.map);
    const ended = this.#loadingEnded();
    try {
      const table = await Promise.race([next.start(this.#current.pool.counts), ended]);
      await Promise.race([this.#http.prepare(number, table, next.routeCounts), ended]);
      return next;
    } catch (error) {
      await next.destroy();
      void this.#drop(next);
      throw error;
    }
  }

  /** Rejects when the start or the reload is to end. */
  #loadingEnded(): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.#endLoading = reject;
    });
  }

  /** Ends the start, or a reload that has not switched yet: it rejects with NOT_RUNNING. The module may never finish loading. */
  giveUpLoading(): void {
    this.#endLoading?.(new LoopShardError('NOT_RUNNING', 'Loading the module was given up.'));
  }

  async #switchTo(next: Revision): Promise<void> {
    const last = this.#current;
    for (const { permits, of } of this.#permitChanges.values()) this.#applyPermits(next, permits, of);
    this.#others.delete(next);
    this.#others.add(last);
    this.#current = next;
    // Some HTTP threads pass requests to the last revision until they have switched, so it is complete until all have.
    await this.#http.switchTo(next.number);
    this.#sources.reloaded();
    const { number, routes } = next;
    this.#logger.info({ revision: number, routes: routes.length }, `reloaded ${routes.length} routes`);
    this.#tell('reload', { revision: number, routes: routes.length });
    void this.#finish(last);
  }

  /** Lets a revision finish its requests, and ends its shards. */
  async #finish(revision: Revision): Promise<void> {
    const { closeTimeoutMs } = this.#options;
    const deadline = performance.now() + closeTimeoutMs;
    revision.retire();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, closeTimeoutMs - reserveMs(closeTimeoutMs), 'late');
    });
    const outcome = await Promise.race([this.#http.drained(revision.number), late]);
    clearTimeout(timer);
    if (!this.#others.has(revision)) return;
    if (outcome === 'late') {
      this.#logger.warn(
        { revision: revision.number },
        `the shards before the reload have not finished their requests within ${closeTimeoutMs} ms; they are ended`,
      );
    }
    await revision.close(deadline);
    await this.#drop(revision);
  }

  /** Forgets a revision when all threads of its shards have ended, which those in native code do later, and clients have its responses. */
  async #drop(revision: Revision): Promise<void> {
    await revision.pool.ended();
    await this.#http.forget(revision.number);
    this.#others.delete(revision);
    this.#sources.keep(revision);
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async #drain(): Promise<void> {
    this.#become('draining');
    this.#endLoading?.(closedMeanwhile());
    const { drainDelayMs, closeTimeoutMs } = this.#options;
    if (drainDelayMs > 0) {
      this.#http.tell({ type: 'leave', ms: drainDelayMs });
      await this.#delay(drainDelayMs);
    }
    if (this.#isClosed()) return;
    this.#current.pool.drain();
    const deadline = performance.now() + closeTimeoutMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, closeTimeoutMs - reserveMs(closeTimeoutMs), 'late');
    });
    const outcome = await Promise.race([this.#http.drain(), late]);
    clearTimeout(timer);
    if (this.#isClosed()) return;
    if (outcome === 'late') {
      const { connections, outstanding } = sumHttpFigures(this.#current.core, this.#current.map, 0);
      this.#logger.warn(
        { outstanding: outstanding.reduce((sum, count) => sum + count, 0), connections },
        `not drained within ${closeTimeoutMs} ms; dropping the remaining requests`,
      );
      this.#http.tell({ type: 'destroy' });
    }
    this.#http.tell({ type: 'stop' });
    this.#forgetFile?.();
    await Promise.all([this.#current, ...this.#others].map((revision) => revision.close(deadline)));
    if (!(await this.#disconnected(deadline))) this.#http.tell({ type: 'destroy' });
    await this.#http.end();
    this.#become('closed');
    await this.#admin?.close();
  }

  /**
   * Resolves with `true` when the connections that shards have taken over are closed, and their clients have the last bytes.
   * @param deadline by `performance.now()`; then `false`
   */
  #disconnected(deadline: number): Promise<boolean> {
    const { core, map, limited } = this.#current;
    return new Promise((resolve) => {
      const look = () => {
        const isDisconnected = this.#isClosed() || sumHttpFigures(core, map, limited.size).connections === 0;
        if (isDisconnected || performance.now() >= deadline) resolve(isDisconnected);
        else setTimeout(look, LOOK_MS);
      };
      look();
    });
  }

  /** Resolves early if the server is destroyed meanwhile. */
  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endDelay = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async destroy(): Promise<void> {
    this.#become('closed');
    this.#endLoading?.(closedMeanwhile());
    this.#closed ??= Promise.resolve();
    this.#endDelay?.();
    const adminClosed = this.#admin?.close();
    this.#http.tell({ type: 'destroy' });
    this.#forgetFile?.();
    await Promise.all([this.#current, ...this.#others].map((revision) => revision.destroy()));
    await Promise.all([this.#http.end(), adminClosed]);
  }
}
