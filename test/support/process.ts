import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** How long a test waits for a program to print something. */
const PATIENCE_MS = 30_000;

interface ProgramOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  descriptors?: number[];
}

/** A program that a test runs, and its output so far. */
export class Program {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<number | null>;
  #notify: (() => void)[] = [];

  /** @param descriptors inherited by the program as 3 and following */
  constructor(command: string, args: string[], { descriptors = [], ...options }: ProgramOptions = {}) {
    this.child = spawn(command, args, { cwd: root, ...options, stdio: ['ignore', 'pipe', 'pipe', ...descriptors] });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]!.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        for (const wake of this.#notify.splice(0)) wake();
      });
    }
    this.#closed = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code) => {
        resolve(code);
        for (const wake of this.#notify.splice(0)) wake();
      });
    });
  }

  /** Resolves with the exit code. */
  exit(): Promise<number | null> {
    return this.#closed;
  }

  /** Resolves with the match once the output matches `pattern`. Ends a program that does not print it. */
  async printed(pattern: RegExp): Promise<RegExpMatchArray> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    for (;;) {
      const match = this.stdout.match(pattern);
      if (match !== null) {
        clearTimeout(timer);
        return match;
      }
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        clearTimeout(timer);
        throw new Error(
          `the program ended with ${this.child.exitCode ?? this.child.signalCode} before it printed ${pattern}: ${this.stdout}${this.stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#notify.push(resolve);
      });
    }
  }
}

/** The built `loopshard` command. */
export function loopshard(...args: string[]): Program {
  return new Program(process.execPath, ['build/dist/cli.js', ...args]);
}
