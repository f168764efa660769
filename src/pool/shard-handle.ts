import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import type {
  BodyCredit,
  BodyPiece,
  FailureReport,
  RouteTable,
  ShardCommand,
  ShardHistograms,
  ShardRefusal,
  ShardReport,
  ShardStart,
  StreamAnswer,
  StreamPiece,
} from '../contract/messages.js';
import { LoopShardError } from '../errors.js';
import type { Group } from '../options/scheduling.js';

export type ShardState = 'starting' | 'ready' | 'draining' | 'closed' | 'failed';

/** What every shard of a server is started with. */
export type ShardSettings = Omit<ShardStart, 'shard' | 'group' | 'control' | 'streams' | 'bodies' | 'table'>;

export interface ShardEvents {
  /** The worker has exited without having been asked to; nothing of it runs any more. */
  onLost(shard: ShardHandle, cause: unknown): void;
  onState(shard: ShardHandle, state: ShardState): void;
  onFailure(shard: ShardHandle, report: FailureReport): void;
  onStreamPiece(shard: ShardHandle, piece: StreamPiece): void;
  onBodyCredit(shard: ShardHandle, credit: BodyCredit): void;
}

/** One shard as the HTTP thread sees it: a long-running task of the thread pool, and the ports to it. */
export class ShardHandle {
  readonly number: number;
  readonly group: Group;
  restarts = 0;
  /** The shard's own, seen live from here; of the latest thread that ran it. */
  histograms: ShardHistograms | undefined;
  #state: ShardState = 'closed';
  readonly #threads: Piscina;
  readonly #settings: ShardSettings;
  readonly #events: ShardEvents;
  #control: MessagePort | undefined;
  #streams: MessagePort | undefined;
  #bodies: MessagePort | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(number: number, group: Group, threads: Piscina, settings: ShardSettings, events: ShardEvents) {
    this.number = number;
    this.group = group;
    this.#threads = threads;
    this.#settings = settings;
    this.#events = events;
  }

  get state(): ShardState {
    return this.#state;
  }

  #become(state: ShardState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.onState(this, state);
  }

  /**
   * Starts the shard's task and waits until it has loaded the user's module.
   * @param table what the module must define
   * @throws LoopShardError as the shard reports it, SHARD_FAILED if the thread ended before it could
   */
  start(table?: RouteTable): Promise<RouteTable> {
    this.#become('starting');
    const control = new MessageChannel();
    this.#control = control.port1;
    const streams = new MessageChannel();
    this.#streams = streams.port1;
    this.#streams.on('message', (piece: StreamPiece) => this.#events.onStreamPiece(this, piece));
    const bodies = new MessageChannel();
    this.#bodies = bodies.port1;
    this.#bodies.on('message', (credit: BodyCredit) => this.#events.onBodyCredit(this, credit));
    const start: ShardStart = {
      ...this.#settings,
      shard: this.number,
      group: { first: this.group.first, count: this.group.count },
      control: control.port2,
      streams: streams.port2,
      bodies: bodies.port2,
      table,
    };
    const ports = [control.port2, streams.port2, bodies.port2];
    const task = this.#threads.run(start, { transferList: ports as never });
    return this.#untilReady(control.port1, task);
  }

  #untilReady(control: MessagePort, task: Promise<ShardRefusal | undefined>): Promise<RouteTable> {
    let exited: Promise<unknown> = Promise.resolve();
    return new Promise((resolve, reject) => {
      control.on('message', (report: ShardReport) => {
        if (report.type === 'failure') this.#events.onFailure(this, report);
        else {
          exited = this.#exitOf(report.threadId);
          this.histograms = report.histograms;
          this.#become('ready');
          resolve(report.table);
        }
      });
      const end = (cause: unknown) => {
        const wasReady = this.state === 'ready';
        const wasAsked = this.state === 'draining' || this.state === 'closed';
        this.#become(wasAsked ? 'closed' : 'failed');
        this.#closePorts();
        if (wasReady) this.#events.onLost(this, cause);
        else if (!wasAsked) reject(cause instanceof LoopShardError ? cause : endedEarly(this.number, cause));
      };
      this.#ended = task.then(
        async (refusal) => {
          // The thread remembers that the module failed; another attempt needs another thread.
          await this.#threadOf(refusal?.threadId)?.terminate();
          end(refusal && refused(refusal));
        },
        async (error) => {
          // The task is given up as soon as an error is seen; the thread may still run its last instructions.
          await exited;
          end(error);
        },
      );
    });
  }

  /** The piscina thread of that id, unless it has ended. */
  #threadOf(threadId: number | undefined): Worker | undefined {
    return this.#threads.threads.find((thread) => thread.threadId === threadId);
  }

  #exitOf(threadId: number): Promise<unknown> {
    const worker = this.#threadOf(threadId);
    if (worker === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      worker.once('exit', resolve);
    });
  }

  /** Takes what the shard has sent of its streams so far; before its slots are looked at. */
  receiveStreams(): void {
    if (this.#streams === undefined) return;
    for (let got = receiveMessageOnPort(this.#streams); got !== undefined; got = receiveMessageOnPort(this.#streams)) {
      this.#events.onStreamPiece(this, got.message as StreamPiece);
    }
  }

  answerStream(answer: StreamAnswer): void {
    this.#streams?.postMessage(answer, answer.spent ?? []);
  }

  /** Sends a piece of a request body that a handler of the shard reads. */
  sendBody(piece: BodyPiece): void {
    this.#bodies?.postMessage(piece, piece.bytes === undefined ? [] : [piece.bytes]);
  }

  abort(slot: number, sequence: number): void {
    this.#send({ type: 'abort', slot, sequence });
  }

  abandon(slot: number, sequence: number): void {
    this.#send({ type: 'abandon', slot, sequence });
  }

  /** A shard that waits for a permit hears that there may be more of them. */
  permitsChanged(): void {
    this.#send({ type: 'permits' });
  }

  /** Has the shard end its loop; for a shard without requests. Resolves once its task has returned. */
  async close(): Promise<void> {
    if (this.state !== 'ready') return this.giveUp();
    this.#become('draining');
    this.#send({ type: 'close' });
    await this.#ended;
  }

  /** Its end is wanted from now on. */
  giveUp(): void {
    this.#become('closed');
  }

  #send(command: ShardCommand): void {
    this.#control?.postMessage(command);
  }

  #closePorts(): void {
    this.#control?.close();
    this.#control = undefined;
    // Completed slots are still to be answered.
    this.receiveStreams();
    this.#streams?.close();
    this.#streams = undefined;
    this.#bodies?.close();
    this.#bodies = undefined;
  }
}

function refused({ code, message, stack }: ShardRefusal): LoopShardError {
  const error = new LoopShardError(code, message);
  error.stack = stack;
  return error;
}

function endedEarly(shard: number, cause: unknown): LoopShardError {
  const reason = cause instanceof Error ? cause.message : 'it returned';
  return new LoopShardError(
    'SHARD_FAILED',
    `Shard ${shard} ended before it was ready: ${reason}. Look at what the module does when it is loaded.`,
    { cause },
  );
}
