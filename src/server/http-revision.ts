import type { MessagePort } from 'node:worker_threads';
import { HttpFigures } from '../contract/http-figures.js';
import { HttpRecovery } from '../contract/http-recovery.js';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RequestName, RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import type { HttpNews, ShardNews } from '../http/news.js';
import type { HttpLife } from './http-life.js';

type NewsOfShards = Extract<HttpNews, { type: 'shard' }>;

/** What several HTTP threads have to do. */
interface Awaited {
  /** Those that have not done it. */
  left: Set<HttpLife>;
  resolve: () => void;
}

/**
 * What the control thread keeps of a revision for HTTP threads that are workers: what a thread that starts later has to know, and what it
 * does for a thread that has ended. Control thread.
 */
export class HttpRevision {
  readonly number: number;
  /** By HTTP thread: where it counts responses by route; empty without metrics. */
  counts: readonly SharedArrayBuffer[] = [];
  /** On which its shards agree, once it is to be prepared for requests. */
  table: RouteTable | undefined;
  /** The threads of its shards have ended, and HTTP threads that start later need not know it. */
  isForgotten = false;
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #onShedding: (revision: number, shard: number, shedding: boolean) => void;
  /** The latest news on each subject. */
  readonly #standing = new Map<string, NewsOfShards>();
  /** The threads that own their slots of its memory. */
  readonly #prepared = new Set<HttpLife>();
  /** What acts for a thread that has ended, until the next one is prepared. */
  readonly #recoveries = new Map<HttpLife, HttpRecovery>();
  /** By shard whose thread has ended: the HTTP threads that have not yet taken back their slots. */
  readonly #takingBack = new Map<number, Awaited>();
  /** The HTTP threads on which requests have not yet got their responses from shards, once that is awaited. */
  #draining: Awaited | undefined;
  /** By shard: the HTTP threads that shed its requests. */
  readonly #shedders: readonly Set<HttpLife>[];

  /** @param onShedding called when the first HTTP thread sheds requests of a shard, and when none does any more */
  constructor(
    number: number,
    core: CoreMemory,
    map: MemoryMap,
    onShedding: (revision: number, shard: number, shedding: boolean) => void,
  ) {
    this.number = number;
    this.#core = core;
    this.#map = map;
    this.#onShedding = onShedding;
    this.#shedders = Array.from({ length: map.shards }, () => new Set());
  }

  // ── threads that are to know it ─────────────────────────────────────────────────────────────────────────────────

  /** Prepares a thread for messages about the shards. */
  open(life: HttpLife): void {
    life.send({ type: 'open', revision: this.number, core: this.#core.share() });
    for (const news of this.#standing.values()) life.send(news);
  }

  attach(life: HttpLife, shard: number, port: MessagePort): void {
    life.send({ type: 'attach', revision: this.number, shard, port }, [port]);
  }

  /** Whether the thread has its routes, and owns its slots: it takes back what shards hold of them. */
  isPreparedOn(life: HttpLife): boolean {
    return this.#prepared.has(life);
  }

  /**
   * Gives a thread the routes, and the requests that shards have started for the previous thread with its number.
   * @throws LoopShardError as `HttpLife.order`
   */
  prepare(life: HttpLife): Promise<void> {
    const recovery = this.#recoveries.get(life);
    recovery?.reap();
    this.#recoveries.delete(life);
    this.#prepared.add(life);
    const prepared = life.order({
      type: 'prepare',
      revision: this.number,
      routes: { table: this.table!, memory: this.counts[life.http] },
      unsettled: recovery?.unsettled ?? [],
    });
    if (this.#draining?.left.has(life)) this.#awaitDrainOf(life);
    return prepared;
  }

  /** Notes news for threads that start later. */
  note(news: NewsOfShards): void {
    const subject = subjectOf(news.about);
    if (subject !== undefined) this.#standing.set(subject, news);
    else if (news.about.type === 'missing') this.#noteMissing(news.about.shard);
  }

  #noteMissing(shard: number): void {
    const subject = `shard ${shard}`;
    const latest = this.#standing.get(subject);
    if (latest?.about.type === 'state') {
      this.#standing.set(subject, { ...latest, about: { ...latest.about, isReplaced: false } });
    }
  }

  // ── threads that end ────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A thread has ended, and its connections with it: acts for it until the next one is prepared.
   * @returns the requests that shards have started for it; undefined if it has had none
   */
  onEnded(life: HttpLife): readonly RequestName[] | undefined {
    for (let shard = 0; shard < this.#shedders.length; shard++) this.setShedding(life, shard, false);
    if (!this.#prepared.delete(life)) return undefined;
    const recovery = new HttpRecovery(this.#core, this.#map, life.http, this.table!);
    this.#recoveries.set(life, recovery);
    for (const [shard, { left }] of this.#takingBack) {
      if (left.has(life)) recovery.reclaim(shard);
      this.hasTakenBack(life, shard);
    }
    return recovery.requests;
  }

  /** Releases what handlers of ended threads hold, such as permits of routes, when they settle. Returns whether more is outstanding. */
  reap(): boolean {
    let isLeft = false;
    for (const recovery of this.#recoveries.values()) if (recovery.reap()) isLeft = true;
    return isLeft;
  }

  /** Continues the numbers of requests where those of another revision end, for a thread that has not done so itself. */
  continueNumbers(http: number, before: HttpRevision): void {
    this.#figures(http).continueFrom(before.#figures(http));
  }

  #figures(http: number): HttpFigures {
    return new HttpFigures(this.#core, this.#map, http);
  }

  // ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The thread of `shard` has exited. Resolves when all HTTP threads have taken back their slots; undefined if they already have. */
  takeBack(shard: number): Promise<void> | undefined {
    for (const recovery of this.#recoveries.values()) recovery.reclaim(shard);
    const left = new Set(this.#prepared);
    if (left.size === 0) return undefined;
    return new Promise((resolve) => {
      this.#takingBack.set(shard, { left, resolve });
      for (const life of left) life.send({ type: 'ended', revision: this.number, shard });
    });
  }

  hasTakenBack(life: HttpLife, shard: number): void {
    const awaited = this.#takingBack.get(shard);
    if (awaited !== undefined && checkOff(life, awaited)) this.#takingBack.delete(shard);
  }

  /** A shard is shedding as long as one of the HTTP threads sheds its requests. */
  setShedding(life: HttpLife, shard: number, shedding: boolean): void {
    const shedders = this.#shedders[shard];
    const before = shedders.size > 0;
    if (shedding) shedders.add(life);
    else shedders.delete(life);
    const after = shedders.size > 0;
    if (after !== before) this.#onShedding(this.number, shard, after);
  }

  /**
   * Resolves when all requests have got their responses from shards. A thread that ends meanwhile is awaited on: the next one adopts its
   * requests.
   * @param lives all HTTP threads
   */
  drained(lives: readonly HttpLife[]): Promise<void> {
    return new Promise((resolve) => {
      this.#draining = { left: new Set(lives), resolve };
      for (const life of this.#prepared) this.#awaitDrainOf(life);
    });
  }

  #awaitDrainOf(life: HttpLife): void {
    life.order({ type: 'drained', revision: this.number }).then(
      () => checkOff(life, this.#draining!),
      // The thread has ended.
      () => {},
    );
  }

  /** The server ends: no thread that ends is replaced. */
  stopWaiting(): void {
    this.#draining?.resolve();
  }
}

/** Notes that a thread has done it. Returns whether it was the last one. */
function checkOff(life: HttpLife, { left, resolve }: Awaited): boolean {
  left.delete(life);
  if (left.size > 0) return false;
  resolve();
  return true;
}

/** What later news replaces this; undefined if it concerns no thread that starts later. */
function subjectOf(about: ShardNews): string | undefined {
  switch (about.type) {
    case 'state':
      return `shard ${about.shard}`;
    case 'shedding':
      return `shedding ${about.shard}`;
    case 'stalled':
      return `stalled ${about.group}`;
    case 'checks':
      return `checks ${about.shard}`;
    default:
      return undefined;
  }
}
