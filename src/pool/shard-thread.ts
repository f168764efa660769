import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { ShardCommand, ShardReport, ShardStart } from '../contract/messages.js';
import { forward } from './shard-output.js';
import { entryOf, flagsOf } from './worker-entry.js';

/** Start options of a thread, without its channels. */
export type ThreadStart = Omit<ShardStart, 'channel' | 'requests'> & {
  /** The current generation of each HTTP thread. */
  generations: readonly number[];
};

/** Node.js options for the thread of each shard. */
export interface ThreadOptions {
  resourceLimits: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
  /** Replaces the copy of the process's environment. */
  env: Record<string, string> | undefined;
  /** Replaces the process's flags. */
  execArgv: readonly string[] | undefined;
}

export interface ThreadEvents {
  /** A message of the thread; the last ones arrive after its end and before `onExit`. */
  onReport(report: ShardReport): void;
  /**
   * The thread has ended and its channel is empty: none of its code runs any more. Called once.
   * @param error what it threw, if anything
   */
  onExit(code: number, error: unknown): void;
}

/** How long an event loop has been active and idle, in milliseconds. */
export interface LoopTimes {
  activeMs: number;
  idleMs: number;
}

/** The thread of a shard, from its start to its end. */
export interface ThreadOfShard {
  /** The HTTP threads' ends of the channels to it. */
  readonly requests: readonly MessagePort[];
  /** @param transfer ports that this thread loses */
  send(command: ShardCommand, transfer?: readonly MessagePort[]): void;
  /** Handles the messages that it has sent so far, in order. */
  receive(): void;
  /** Opens a channel to the thread that replaces an ended HTTP thread, and returns that thread's end of it. */
  connectHttp(http: number, generation: number): MessagePort;
  /** Reads them without asking the thread, which may be busy. */
  loopTimes(): LoopTimes;
  /** Of the worker; undefined if the shard runs in the calling thread. */
  readonly threadId: number | undefined;
  /** Terminates it at any point, except in native code, which finishes first. */
  terminate(): void;
}

/** @throws whatever Node.js throws when it cannot start a thread */
export type StartThread = (start: ThreadStart, events: ThreadEvents) => ThreadOfShard;

const ENTRY = entryOf(new URL('../shard/entry.js', import.meta.url));

/** A worker thread of a shard, from its start to its real end, and the channels to it. Control thread. */
export class ShardThread implements ThreadOfShard {
  readonly requests: readonly MessagePort[];
  readonly #events: ThreadEvents;
  readonly #channel: MessagePort;
  readonly #worker: Worker;
  #error: unknown;

  /** @throws whatever Node.js throws when it cannot start a thread */
  constructor({ generations, ...start }: ThreadStart, options: ThreadOptions, events: ThreadEvents) {
    this.#events = events;
    const channel = new MessageChannel();
    const channels = generations.map(() => new MessageChannel());
    const requests = channels.map(({ port2 }, http) => ({ port: port2, generation: generations[http] }));
    this.requests = channels.map(({ port1 }) => port1);
    const workerData: ShardStart = { ...start, channel: channel.port2, requests };
    const { env, execArgv, resourceLimits } = options;
    this.#worker = new Worker(ENTRY, {
      workerData,
      transferList: [channel.port2, ...channels.map(({ port2 }) => port2)],
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

  receive(): void {
    for (let got = receiveMessageOnPort(this.#channel); got !== undefined; got = receiveMessageOnPort(this.#channel)) {
      this.#events.onReport(got.message as ShardReport);
    }
  }

  send(command: ShardCommand, transfer: readonly MessagePort[] = []): void {
    this.#channel.postMessage(command, transfer);
  }

  connectHttp(http: number, generation: number): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const command: ShardCommand = { type: 'http', http, end: { port: port2, generation } };
    this.#channel.postMessage(command, [port2]);
    return port1;
  }

  loopTimes(): LoopTimes {
    const { active, idle } = this.#worker.performance.eventLoopUtilization();
    return { activeMs: active, idleMs: idle };
  }

  get threadId(): number {
    return this.#worker.threadId;
  }

  terminate(): void {
    void this.#worker.terminate();
  }
}
