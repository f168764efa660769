import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadStream } from 'node:tty';
import { ADMIN_TOKEN_VARIABLE } from '../options/admin.js';
import { AdminStream, adminUrl } from './client.js';
import { TopModel } from './model.js';
import { type ScreenSize, screenLines } from './screen.js';

const RETRY_MS = 1_000;
const PLAIN_COLUMNS = 120;
const CTRL_C = '\x03';
/** Switches to another screen without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

export interface TopOptions {
  /** Prints one snapshot and ends. Also if the output is no terminal. */
  once?: boolean;
}

/**
 * Shows a running server in the terminal until q or Ctrl-C is pressed.
 * @param address of its admin listener: a port, a host and a port, or a URL; default: port 9000 of this machine
 * @throws LoopShardError OPTION_INVALID, ADMIN_UNREACHABLE, ADMIN_TOKEN_REQUIRED
 */
export async function top(address: string | undefined, { once = false }: TopOptions): Promise<void> {
  const stream = new AdminStream(adminUrl(address), process.env[ADMIN_TOKEN_VARIABLE]);
  if (once || !process.stdout.isTTY) await printOnce(stream);
  else await new Terminal(stream).run();
}

/** Prints a snapshot, once enough is known for it: after about a second. */
async function printOnce(stream: AdminStream): Promise<void> {
  const model = new TopModel();
  const complete = new AbortController();
  const onEvent = (name: string, data: unknown) => {
    model.onEvent(name, data);
    if (model.isComplete) complete.abort();
  };
  await stream.read({ onEvent }, complete.signal);
  const { columns = PLAIN_COLUMNS, isTTY, hasColors } = process.stdout;
  const size = { columns, rows: Number.POSITIVE_INFINITY, hasColors: isTTY && hasColors() };
  console.log(screenLines(model, size).join('\n'));
}

/** The live view. */
class Terminal {
  readonly #stream: AdminStream;
  readonly #model = new TopModel();
  readonly #leaving = new AbortController();
  #isEntered = false;

  constructor(stream: AdminStream) {
    this.#stream = stream;
  }

  async run(): Promise<void> {
    this.#listen();
    try {
      // The first connection must succeed; later ones are retried.
      await this.#read();
      const { signal } = this.#leaving;
      while (!signal.aborted) {
        this.#model.note({ at: Date.now(), text: 'The connection to the server is lost; trying again', tone: 'bad' });
        this.#draw();
        while (!signal.aborted && !(await this.#readAgain()));
      }
    } finally {
      this.#restore();
    }
  }

  #read(): Promise<void> {
    const onEvent = (name: string, data: unknown) => {
      this.#model.onEvent(name, data);
      if (name === 'activity') this.#draw();
    };
    return this.#stream.read({ onEvent }, this.#leaving.signal);
  }

  /** Returns whether the stream could be opened; then it has ended again. */
  async #readAgain(): Promise<boolean> {
    try {
      await sleep(RETRY_MS, undefined, { signal: this.#leaving.signal });
      await this.#read();
      return true;
    } catch {
      return false;
    }
  }

  #listen(): void {
    const leave = () => this.#leaving.abort();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave);
    process.stdout.on('resize', () => this.#draw());
    process.once('exit', () => this.#restore());
    const { stdin } = process;
    if (!stdin.isTTY) return;
    (stdin as ReadStream).setRawMode(true);
    stdin.setEncoding('utf8').on('data', (keys: string) => {
      if (keys.includes('q') || keys.includes(CTRL_C)) leave();
    });
  }

  #draw(): void {
    const { columns, rows } = process.stdout;
    const size: ScreenSize = { columns, rows, hasColors: process.stdout.hasColors() };
    const text = screenLines(this.#model, size).join(`${CLEAR_LINE}\n`);
    process.stdout.write(`${this.#isEntered ? '' : ENTER}${HOME}${text}${CLEAR_LINE}${CLEAR_BELOW}`);
    this.#isEntered = true;
  }

  #restore(): void {
    if (process.stdin.isTTY) {
      (process.stdin as ReadStream).setRawMode(false);
      process.stdin.pause();
    }
    if (this.#isEntered) process.stdout.write(LEAVE);
    this.#isEntered = false;
  }
}
