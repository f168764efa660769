import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { ShardCommand, ShardReport, ShardStart } from '../contract/messages.js';
import { forward } from './shard-output.js';

/** What a thread is started with, its channel apart. */
export type ThreadStart = Omit<ShardStart, 'channel'>;

/** What Node.js is told about the thread of each shard. */
export interface ThreadOptions {
  resourceLimits: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
  /** In place of a copy of the process's. */
  env: Record<string, string> | undefined;
  /** In place of the process's flags. */
  execArgv: readonly string[] | undefined;
}

export interface ThreadEvents {
  /** A message of the thread; the last ones come after its end and before `onExit`. */
  onReport(report: ShardReport): void;
  /**
   * The thread has ended and its channel is empty: nothing of it runs any more. Called once.
   * @param error what it threw, if it did
   */
  onExit(code: number, error: unknown): void;
}

/**
 * The thread's main module imports the entry of a shard, and does nothing else: Node.js refuses a file as main module where the process
 * runs with `--input-type`, whose flags its threads inherit.
 */
const IMPORT = `import ${JSON.stringify(new URL('../shard/entry.js', import.meta.url).href)};`;
const ENTRY = new URL(`data:text/javascript,${encodeURIComponent(IMPORT)}`);

/** One thread of a shard, from its start to its real end, and the channel to it. HTTP thread. */
export class ShardThread {
  readonly #events: ThreadEvents;
  readonly #channel: MessagePort;
  readonly #worker: Worker;
  #error: unknown;

  /** @throws whatever Node.js throws when it cannot start a thread */
  constructor(start: ThreadStart, options: ThreadOptions, events: ThreadEvents) {
    this.#events = events;
    const channel = new MessageChannel();
    const workerData: ShardStart = { ...start, channel: channel.port2 };
    const { env, execArgv, resourceLimits } = options;
    this.#worker = new Worker(ENTRY, {
      workerData,
      transferList: [channel.port2],
      resourceLimits,
      ...(env && { env }),
      ...flagsOf(execArgv),
      stdout: true,
      stderr: true,
    });
    this.#channel = channel.port1;
    this.#channel.on('message', (report: ShardReport) => events.onReport(report));
    forward(this.#worker.stdout, process.stdout);
    forward(this.#worker.stderr, process.stderr);
    // It always precedes the end, but the thread may still run its last instructions.
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#worker.once('exit', (code) => this.#onExit(code));
  }

  #onExit(code: number): void {
    this.receive();
    this.#channel.close();
    this.#events.onExit(code, this.#error);
  }

  /** Takes what the thread has sent so far, in the order in which it was sent. */
  receive(): void {
    for (let got = receiveMessageOnPort(this.#channel); got !== undefined; got = receiveMessageOnPort(this.#channel)) {
      this.#events.onReport(got.message as ShardReport);
    }
  }

  /** @param transfer buffers that are lost to the caller */
  send(command: ShardCommand, transfer: ArrayBuffer[] = []): void {
    this.#channel.postMessage(command, transfer);
  }

  /** Ends the thread wherever it is, except in native code: that it finishes first. */
  terminate(): void {
    void this.#worker.terminate();
  }
}

/**
 * The flags of Node.js for a thread: those that were asked for, or the process's. Of the process's, `--input-type` is left out,
 * which is for code that is given in the place of a file, and which a thread that runs a file refuses.
 */
function flagsOf(execArgv: readonly string[] | undefined): { execArgv?: string[] } {
  if (execArgv !== undefined) return { execArgv: [...execArgv] };
  const { execArgv: inherited } = process;
  if (!inherited.some((flag) => flag.startsWith('--input-type'))) return {};
  return { execArgv: inherited.filter((flag) => flag.startsWith('--') && !/^--(input-type|eval|print)/.test(flag)) };
}
