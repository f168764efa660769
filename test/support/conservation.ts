import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import type { ServeOptions, ServerStats } from 'loopshard';
import { get, RawClient } from './client.js';
import { type Figures, MeasuredServer } from './measured-server.js';
import { root } from './process.js';
import { seed } from './random.js';
import { until } from './server.js';

const FIXTURES = join(root, 'test/fixtures/conservation');
const SHARDS = 4;
const CONNECTIONS = 24;
/** How long a client waits for the responses to its pipelined requests. */
const PATIENCE_MS = 30_000;
const START_MS = 60_000;

const OPTIONS: ServeOptions = {
  shards: SHARDS,
  scheduling: {
    // These tests are not about thread priorities.
    shardNice: 0,
    permits: 64,
  },
  memory: { slots: 1_024 },
  limits: { maxBodyBytes: 4 * 2 ** 20 },
  threads: {
    // A small heap, which is exhausted quickly.
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 },
  },
};
/** For servers with these options: always replace shards, however often they end. */
const OPTIONAL: ServeOptions = { recovery: { maxRestarts: 0, stuckAfterMs: 1_000 } };

/** Extents by class, or in total, if the server has them. */
type Extents = { free: number; total: number } | { free: number; total: number }[];

/** What the clients of one run do. */
export interface ClientPlan {
  /** Names the run; its nonces begin with this name. */
  run: string;
  /** Total number of requests of all client processes. */
  requests: number;
  processes: number;
  /** Maximum number of requests sent together. */
  pipelined: number;
  /** Share of the visits in which the client disconnects before it has its responses. */
  leaving: number;
  sizes: 'all' | 'large';
}

export interface Outcome {
  kind: string;
  /** A status, or the outcome that client.js logs for a request without a response. */
  outcome: string;
}

/** The server of the conservation tests and its clients, each in its own process, with their logs. */
export class ConservationRun {
  /** Time from the end of each shard's thread until its replacement was ready, in milliseconds. */
  readonly recoveries: number[] = [];
  /** The ports of the HTTP threads; one port if there is one thread. */
  ports: number[] = [];
  /** When HTTP threads ended, in milliseconds since the epoch. Connections lost at these times are expected. */
  readonly httpEnds: { port: number; from: number; to: number }[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'loopshard-conservation-'));
  readonly #server: MeasuredServer;

  constructor(httpThreads = 1) {
    const args = [OPTIONS, OPTIONAL, httpThreads].map((one) => JSON.stringify(one));
    this.#server = new MeasuredServer('conservation', args, { CONSERVATION_DIRECTORY: this.#directory });
    this.#server.onMessage(({ recovered }: { recovered?: { ms: number } }) => {
      if (recovered) this.recoveries.push(recovered.ms);
    });
  }

  /** Resolves once the server is listening. */
  async start(): Promise<void> {
    this.ports = await this.#server.listening();
  }

  /** The port of a random HTTP thread. */
  get port(): number {
    return this.ports[0];
  }

  /** Kills the server if it still runs, and removes the logs. */
  destroy(): void {
    this.#server.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Sends the server's process a command: `figures`, `stats`, `logged` or `close`. */
  ask<T>(question: string): Promise<T> {
    return this.#server.ask(question);
  }

  stats(): Promise<ServerStats> {
    return this.ask<ServerStats>('stats');
  }

  async allReady(): Promise<boolean> {
    return (await this.stats()).shards.every(({ state }) => state === 'ready');
  }

  /** Resolves once all client processes have all their responses. Each process stops at the first wrong byte. */
  async runClients({ run, requests, processes, ...plan }: ClientPlan): Promise<void> {
    const clients = Array.from({ length: processes }, async (_, i) => {
      const name = `${run}${i}`;
      const share = { ...plan, name, requests: Math.ceil(requests / processes), seed: seed + i + requests };
      const place = {
        ports: this.ports,
        connections: CONNECTIONS,
        patienceMs: PATIENCE_MS,
        file: this.#log('clients', name),
      };
      const child = fork(join(FIXTURES, 'client.js'), [JSON.stringify({ ...share, ...place })], { execArgv: [] });
      let failed: string | undefined;
      child.on('message', (message: { failed?: string; lost?: string; how?: string }) => {
        failed ??= message.failed;
        if (message.lost === undefined || this.#isGone(message.lost)) return;
        process.stderr.write(`connection lost: ${message.how}\n`);
      });
      const [code] = await once(child, 'exit');
      if (failed === undefined && code === 0) return;
      const { slots, outstanding, shards } = await this.stats();
      const owed = JSON.stringify({ slots, outstanding, shards, logged: await this.ask<string[]>('logged') });
      throw new Error(`client ${name}: ${failed ?? `exit code ${code}`}; state of the server: ${owed}`);
    });
    await Promise.all(clients);
  }

  #log(of: 'clients' | 'handlers', name: string): string {
    return join(this.#directory, `${of}-${name}`);
  }

  *#lines(of: 'clients' | 'handlers'): Generator<string> {
    for (const file of readdirSync(this.#directory).filter((name) => name.startsWith(`${of}-`))) {
      yield* readFileSync(join(this.#directory, file), 'latin1').split('\n').slice(0, -1);
    }
  }

  /** How often each request's handler was started, by nonce. */
  readHandlers(): Map<string, number> {
    const starts = new Map<string, number>();
    for (const nonce of this.#lines('handlers')) starts.set(nonce, (starts.get(nonce) ?? 0) + 1);
    return starts;
  }

  /** The outcome of each request, by nonce. */
  readClients(): Map<string, Outcome> {
    const outcomes = new Map<string, Outcome>();
    for (const line of this.#lines('clients')) {
      const [nonce, kind, outcome] = line.split(' ');
      if (outcomes.has(nonce)) throw new Error(`${nonce} got two responses`);
      outcomes.set(nonce, { kind, outcome: this.#isGone(outcome) ? 'gone' : outcome });
    }
    return outcomes;
  }

  /** Whether the connection was lost because its HTTP thread ended. */
  #isGone(outcome: string): boolean {
    const [, port, at] = outcome.split('@').map(Number);
    return this.httpEnds.some((end) => end.port === port && at >= end.from && at <= end.to);
  }

  /** Waits until all clients have disconnected and every shard has collected its garbage. */
  async figuresAtRest(): Promise<Figures> {
    await until(() => this.allReady(), 'all shards to be ready');
    const alone = () => until(async () => (await this.stats()).connections === 0, 'the end of all connections');
    await alone();
    const collected = new Set<number>();
    await until(async () => {
      const clients = await Promise.all(Array.from({ length: SHARDS * 4 }, () => RawClient.open(this.port)));
      for (const client of clients) client.write(get('/gc'));
      for (const client of clients) collected.add(JSON.parse((await client.response()).body.toString()).threadId);
      for (const client of clients) client.destroy();
      return collected.size >= SHARDS;
    }, 'garbage collection on all shards');
    await alone();
    return this.ask<Figures>('figures');
  }
}

/** How often a handler may have been started, given the outcome that its client saw. */
const STARTS: Record<string, [number, number]> = {
  200: [1, 1],
  // The request ended its shard.
  502: [1, 1],
  // The shard ended during the stream.
  cut: [1, 1],
  // Rejected requests never run, nor do requests behind a response that closed the connection.
  503: [0, 0],
  behind: [0, 0],
  left: [0, 1],
  // The HTTP thread ended, and its connections with it.
  gone: [0, 1],
};

/** Each kind of mismatch between the logs of clients and handlers, with its count and an example. */
export function compareLogs(outcomes: Map<string, Outcome>, starts: Map<string, number>): string[] {
  const faults = new Map<string, string[]>();
  const note = (fault: string, nonce: string) => {
    const nonces = faults.get(fault);
    if (nonces === undefined) faults.set(fault, [nonce]);
    else nonces.push(nonce);
  };
  for (const [nonce, { kind, outcome }] of outcomes) {
    const started = starts.get(nonce) ?? 0;
    const allowed = STARTS[outcome];
    if (allowed === undefined) note(`${kind}: ${outcome}`, nonce);
    else if (started < allowed[0] || started > allowed[1]) note(`${kind}: ${outcome}, started ${started} times`, nonce);
  }
  for (const nonce of starts.keys()) {
    if (!outcomes.has(nonce) && !nonce.startsWith('end-')) note('started, but not sent by any client', nonce);
  }
  return [...faults].map(([fault, nonces]) => `${nonces.length} × ${fault}, for example ${nonces[0]}`);
}

export function countOutcomes(outcomes: Map<string, Outcome>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of outcomes.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** Sums counts by name. */
export function sumOf(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [name, count] of all.flatMap((one) => Object.entries(one))) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Describes the resources that an idle server has not recovered. */
export function notBack({ stats }: Figures): string[] {
  const { slots, outstanding, shards, routes } = stats;
  const extents = (stats as unknown as { extents?: Extents }).extents;
  const pools: [string, number, number][] = [
    ['slots', slots.free, slots.total],
    ...[extents ?? []].flat().map(({ free, total }, i): [string, number, number] => [`extents ${i}`, free, total]),
  ];
  for (const { shard, permits } of shards) pools.push([`permits of shard ${shard}`, permits.available, permits.limit]);
  for (const { route, permits } of routes) pools.push([`permits of ${route}`, permits.available, permits.limit]);
  const owed: [string, number][] = [
    ['outstanding requests', outstanding],
    ['lost wake-ups', stats.lostWakeUps],
  ];
  for (const { shard, ...of } of shards) {
    owed.push(
      [`outstanding requests of shard ${shard}`, of.outstanding],
      [`queued requests of shard ${shard}`, of.queued],
    );
    owed.push([`lost wake-ups of shard ${shard}`, of.lostWakeUps]);
  }
  return [
    ...pools.filter(([, free, total]) => free !== total).map(([what, free, total]) => `${what}: ${free} of ${total}`),
    ...owed.filter(([, missing]) => missing !== 0).map(([what, missing]) => `${what}: ${missing}`),
  ];
}

/** Creates a run for the tests of a file, and ends it after them. */
export function useConservationRun(httpThreads = 1): { readonly run: ConservationRun } {
  const scene = {} as { run: ConservationRun };
  beforeAll(async () => {
    scene.run = new ConservationRun(httpThreads);
    await scene.run.start();
  }, START_MS);
  afterAll(() => scene.run.destroy());
  return scene;
}
