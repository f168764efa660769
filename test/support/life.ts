import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { type ServerWithThreads, startHttpThreads } from './http-threads.js';
import { startServer, type TestServer } from './server.js';

/** Directs life.js through the files of a directory: what it does when it is loaded and when it gets a request. */
export class Life {
  readonly #dir = mkdtempSync(join(tmpdir(), 'loopshard-'));

  /** The name of the fixture, for `startServer`. */
  get fixture(): string {
    return `life.js?dir=${encodeURIComponent(this.#dir)}`;
  }

  /** The URL of the fixture, for programs. */
  get url(): string {
    return new URL(`../fixtures/${this.fixture}`, import.meta.url).href;
  }

  /** The path of a file in the directory. */
  file(name: string): string {
    return join(this.#dir, name);
  }

  mark(name: string, text = ''): void {
    writeFileSync(this.file(name), text);
  }

  unmark(name: string): void {
    rmSync(this.file(name));
  }

  /** The notes of all threads, in order. Threads take notes once `notes` is marked. */
  get notes(): string[] {
    const lines = readFileSync(this.file('notes'), 'utf8').split('\n');
    return lines.slice(0, -1);
  }

  end(): void {
    rmSync(this.#dir, { recursive: true });
  }
}

/** A life that directs life.js, and the server that runs it, for each test of a file. */
export interface LifeScene {
  readonly life: Life;
  /** The latest server that was started. */
  readonly running: TestServer;
  start(options?: ServeOptions): Promise<TestServer>;
  /** Starts a server whose HTTP threads each have a port. */
  startHttpThreads(httpThreads: number, options?: ServeOptions): Promise<ServerWithThreads>;
}

/** @param standard default options of the servers */
export function useLife(standard: ServeOptions = {}): LifeScene {
  let life: Life;
  let running: TestServer | undefined;
  beforeEach(() => {
    life = new Life();
  });
  afterEach(async () => {
    await running?.server.destroy();
    running = undefined;
    life.end();
  });
  return {
    get life() {
      return life;
    },
    get running() {
      return running!;
    },
    async start(options = {}) {
      running = await startServer(
        { ...standard, ...options, timeouts: { ...standard.timeouts, ...options.timeouts } },
        life.fixture,
      );
      return running;
    },
    async startHttpThreads(httpThreads, options = {}) {
      const started = await startHttpThreads(httpThreads, { ...standard, ...options }, life.fixture);
      running = started;
      return started;
    },
  };
}
