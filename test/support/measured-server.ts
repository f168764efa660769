import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ServerStats } from 'loopshard';
import { root } from './process.js';

const STDERR_BYTES = 20_000;

/** Measurements of the server's process when idle. */
export interface Figures {
  stats: ServerStats;
  /** Bytes. */
  rss: number;
  /** Open descriptors; 0 if the system does not report them. */
  descriptors: number;
  /** Worker threads. */
  threads: number;
  /** Shared memories of servers that are not freed; 0 if the system does not report them. */
  memories: number;
}

/** A server in its own process, which executes the test's commands (test/fixtures/conservation/measured.js). */
export class MeasuredServer {
  readonly #child: ChildProcess;
  readonly #listening: Promise<number[]>;
  #stderr = '';

  /** @param folder in test/fixtures, with server.js */
  constructor(folder: string, args: readonly string[], env: Record<string, string>) {
    this.#child = fork(join(root, 'test/fixtures', folder, 'server.js'), args, {
      execArgv: ['--expose-gc'],
      // glibc gives each thread its own arena and keeps memory freed by ended threads, which would dominate the measured RSS.
      env: { ...process.env, ...env, MALLOC_ARENA_MAX: '2' },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_BYTES);
    });
    const ended = once(this.#child, 'exit').then(() => Promise.reject(this.#endedEarly()));
    this.#listening = Promise.race([once(this.#child, 'message'), ended]).then(([{ ports }]) => ports);
    this.#listening.catch(() => {});
  }

  /** Resolves with the ports of the HTTP threads once they are listening. */
  listening(): Promise<number[]> {
    return this.#listening;
  }

  #endedEarly(): Error {
    return new Error(`the server's process has ended: ${this.#stderr}`);
  }

  onMessage<Message>(listener: (message: Message) => void): void {
    this.#child.on('message', (message) => listener(message as Message));
  }

  /** Sends the process a command. Resolves with its answer. */
  ask<T>(question: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => void this.#child.off('message', onMessage).off('exit', onExit);
      const onExit = () => {
        settle();
        reject(this.#endedEarly());
      };
      const onMessage = (message: { question?: string; answer?: T }) => {
        if (message.question !== question) return;
        settle();
        resolve(message.answer as T);
      };
      if (!this.#child.connected) return reject(this.#endedEarly());
      this.#child.on('message', onMessage).once('exit', onExit);
      this.#child.send({ question });
    });
  }

  /** Kills the process if it still runs. */
  destroy(): void {
    this.#child.kill('SIGKILL');
  }
}
