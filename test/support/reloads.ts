import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServeOptions, ServerStats } from 'loopshard';
import { field, get, RawClient } from './client.js';
import { type Figures, MeasuredServer } from './measured-server.js';
import { parseMetrics, sumOf } from './metrics.js';
import { root } from './process.js';
import { createRandom, seed } from './random.js';
import { until } from './server.js';

const SHARDS = 2;
const OPTIONS: ServeOptions = {
  shards: SHARDS,
  // These tests are not about thread priorities.
  scheduling: { shardNice: 0 },
  memory: { slots: 1_024 },
};
const CONNECTIONS = 48;
/** Share of the reloads before which one fails. */
const FAILING = 0.15;
/** The reload of each phase before which one fails in any case. */
const FAILS = 1;

/** What the clients of one process have got. */
interface Received {
  count: number;
  /** Number of responses by kind of request and status. */
  responses: Record<string, number>;
  /** Versions of the app that have responded. */
  versions: number[];
  /** The longest time from sending up to 16 requests until the last of their responses. */
  longestMs: number;
}

/** What has happened while clients sent requests and the server was reloaded. */
export interface Phase extends Received {
  seconds: number;
  /** How long each reload took that succeeded, in milliseconds. */
  reloadsMs: number[];
  /** Number of reloads whose module did not load. */
  failed: number;
  /** The largest resident memory at the end of a reload, without a garbage collection, in bytes. */
  peakBytes: number;
}

/** A server that is reloaded while clients in other processes send requests and check every response. */
export class ReloadRun {
  readonly #httpThreads: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'loopshard-reloads-'));
  readonly #file = join(this.#folder, 'app.json');
  readonly #server: MeasuredServer;
  readonly #random = createRandom();
  #ports: number[] = [];
  #version = 1;
  #phases = 0;
  /** Requests of this process. */
  #asked = 0;

  constructor(httpThreads: number) {
    this.#httpThreads = httpThreads;
    this.#become({ version: 1 });
    const args = [OPTIONS, httpThreads].map((one) => JSON.stringify(one));
    this.#server = new MeasuredServer('reloads', args, { RELOAD_FILE: this.#file });
  }

  /** What the app is when it is loaded next. */
  #become(state: { version: number; fails?: boolean }): void {
    writeFileSync(this.#file, JSON.stringify(state));
  }

  async start(): Promise<void> {
    this.#ports = await this.#server.listening();
  }

  destroy(): void {
    this.#server.destroy();
    rmSync(this.#folder, { recursive: true });
  }

  /**
   * Reloads the server at even distances while clients send at least this many requests. Rejects at the first response that is not the
   * expected one.
   */
  async load(requests: number, reloads: number): Promise<Phase> {
    const clients = new Clients(this.#ports, `${this.#phases}`, seed + this.#phases++);
    const reloadsMs: number[] = [];
    let failed = 0;
    let peakBytes = 0;
    const start = performance.now();
    try {
      for (let i = 0; i < reloads; i++) {
        await clients.passed(((i + 0.5) * requests) / reloads);
        if (i === FAILS || this.#random() < FAILING) {
          await this.#failToReload();
          failed++;
        }
        const { ms, rss } = await this.#reload();
        reloadsMs.push(ms);
        peakBytes = Math.max(peakBytes, rss);
      }
      await clients.passed(requests);
    } finally {
      clients.finish();
    }
    const received = await clients.done();
    return { ...received, seconds: (performance.now() - start) / 1_000, reloadsMs, failed, peakBytes };
  }

  async #reload(): Promise<Reloaded> {
    this.#become({ version: ++this.#version });
    const reloaded = await this.#server.ask<Reloaded>('reload');
    if (reloaded.code !== undefined) throw new Error(`the reload to version ${this.#version} failed: ${reloaded.code}`);
    await this.#expectVersion();
    return reloaded;
  }

  async #failToReload(): Promise<void> {
    this.#become({ version: this.#version + 1, fails: true });
    const { code } = await this.#server.ask<Reloaded>('reload');
    if (code !== 'MODULE_FAILED') throw new Error(`a reload that had to fail ended with ${code}`);
    await this.#expectVersion();
  }

  /** Every HTTP thread passes new requests to the latest version. */
  async #expectVersion(): Promise<void> {
    for (const port of this.#ports) {
      const client = await RawClient.open(port);
      client.write(get(`/record/${this.#asked++}`));
      const version = field(await client.response(), 'x-version');
      client.destroy();
      if (version !== `${this.#version}`)
        throw new Error(`version ${version} responds after a reload to ${this.#version}`);
    }
  }

  /** Waits until all connections and all earlier revisions have ended. */
  async atRest(): Promise<Figures> {
    await until(async () => {
      const { connections, retiring } = await this.#server.ask<ServerStats>('stats');
      return connections === 0 && retiring === 0;
    }, 'the end of all connections and earlier revisions');
    return this.#server.ask<Figures>('figures');
  }

  /** What metrics count of the requests of `phases` and of this process, and what they have to count. */
  async counted(phases: readonly Phase[]): Promise<{ counted: Counts; expected: Counts }> {
    const metrics = parseMetrics(await this.#server.ask<string>('metrics'));
    const reloads = (result: string) => metrics.get(`loopshard_reloads_total{result="${result}"}`);
    const sum = (of: (phase: Phase) => number) => phases.reduce((total, phase) => total + of(phase), 0);
    return {
      counted: {
        requests: sumOf(metrics, 'loopshard_requests_total'),
        reloads: reloads('succeeded'),
        failed: reloads('failed'),
      },
      expected: {
        requests: sum(({ count }) => count) + this.#asked,
        reloads: sum(({ reloadsMs }) => reloadsMs.length),
        failed: sum(({ failed }) => failed),
      },
    };
  }

  /** @returns lines of the server's log above level `info` */
  logged(): Promise<string[]> {
    return this.#server.ask('logged');
  }

  /** Ends the server. Returns how long that took, in milliseconds. */
  close(): Promise<number> {
    return this.#server.ask('close');
  }

  /** The number of threads that the server has at rest. */
  get threads(): number {
    return SHARDS + (this.#httpThreads > 1 ? this.#httpThreads : 0);
  }
}

/** What the server's process says about a reload. */
interface Reloaded {
  /** Of the error if it failed. */
  code?: string;
  ms: number;
  rss: number;
}

interface Counts {
  requests: number;
  reloads: number | undefined;
  failed: number | undefined;
}

/** A process with clients that send requests until they are told to finish. */
class Clients {
  readonly #child: ChildProcess;
  readonly #done: Promise<Received>;
  #count = 0;
  /** Called when they have got more responses. */
  #look = () => {};

  constructor(ports: readonly number[], name: string, from: number) {
    const plan = { ports, name, seed: from, connections: CONNECTIONS };
    this.#child = fork(join(root, 'test/fixtures/reloads/client.js'), [JSON.stringify(plan)], { execArgv: [] });
    const exited = once(this.#child, 'exit').then(() => Promise.reject(new Error('the clients have ended early')));
    const done = new Promise<Received>((resolve, reject) => {
      this.#child.on('message', (message: { count?: number; failed?: string; done?: Received }) => {
        if (message.count !== undefined) {
          this.#count = message.count;
          this.#look();
        }
        if (message.failed !== undefined) reject(new Error(message.failed));
        if (message.done !== undefined) resolve(message.done);
      });
    });
    this.#done = Promise.race([done, exited]);
    this.#done.catch(() => {});
  }

  /** Resolves when they have got this many responses. */
  async passed(count: number): Promise<void> {
    const passed = new Promise<void>((resolve) => {
      this.#look = () => {
        if (this.#count >= count) resolve();
      };
    });
    this.#look();
    await Promise.race([passed, this.#done]);
  }

  finish(): void {
    if (this.#child.connected) this.#child.send('finish');
  }

  done(): Promise<Received> {
    return this.#done;
  }
}
