import type { AsyncResource } from 'node:async_hooks';
import type { Route } from '../app/definition.js';
import type { RawReply } from '../app/raw.js';
import type { AppRequest } from '../app/request.js';
import type { AppResponse } from '../app/response.js';
import type { ResponseState } from '../app/response-state.js';
import { type RequestName, requestKey } from '../contract/messages.js';
import type { SlotView } from '../contract/slot-view.js';
import { NumberedRoster } from '../core/roster.js';
import type { ObservedRequest } from './observing/observed-request.js';
import type { SlotRequest } from './request/request.js';
import type { Reply } from './response/responder.js';

/** A streamed response. */
export interface TaskStream {
  /** Its head was sent, or is about to be sent. */
  readonly isBegun: boolean;
  /** Its head was posted, and more will follow. */
  readonly isHeadSent: boolean;
  /** Called when the kernel has taken bytes, with buffers that can be reused; or with `STREAM_CANCELLED` when nobody waits for more. */
  onTaken(bytes: number, spent?: ArrayBuffer[]): void;
  /** Called when the client disconnects: ends the source. The request is over once the source has ended. */
  cancel(): void;
  /** Stops sending in the middle of the response. */
  breakOff(): void;
}

/** A streamed response that the app forms itself. */
export interface RawTaskStream extends TaskStream {
  /**
   * The app has written bytes, maybe the last ones.
   * @returns whether all of them were copied
   */
  onWritten(): boolean;
  /** Ends a stream that has not begun, if the response is sent in another way or not at all. After the end of the request. */
  drop(): void;
  /** The app has closed an upgraded connection. */
  close(): void;
}

/** A request that was started and is not over. */
export interface Task extends Reply {
  readonly slot: number;
  readonly view: SlotView;
  readonly sequence: number;
  readonly route: Route;
  readonly request: SlotRequest;
  readonly response: ResponseState;
  readonly req: AppRequest;
  readonly res: AppResponse;
  /** By the server's clock. */
  readonly startedAt: number;
  /** When its handler was called, by the same clock. */
  calledAt: number;
  /** How long the handler occupied the event loop until it yielded, in microseconds; -1 while it has not. */
  yieldedUs: number;
  /** Async scope of all user code of the request. */
  scope: AsyncResource;
  /** Set if the request is traced, or somebody listens to its events. */
  observed: ObservedRequest | undefined;
  /** The response, if it is streamed. */
  stream: TaskStream | undefined;
  /** Its response is streamed, and the stream is not over. */
  isStreaming: boolean;
  /** The response, if the app forms its bytes. */
  raw: RawReply | undefined;
  /** Its stream: the same as `stream`. */
  rawStream: RawTaskStream | undefined;
  /** How many of the handler and its error handlers have failed. Each is called at most once. */
  failures: number;
  /** No user code is running: no handler was started, or it has settled, and no stream is open. */
  hasSettled: boolean;
  /** It holds one of the shard's permits. */
  hasPermit: boolean;
  /** It owns its slot. A stream without a slot is identified only by the name of its request. */
  hasSlot: boolean;
  /** It got 504, and its handler has not settled. */
  isAbandoned: boolean;
  /** Its connection is to be closed, and nothing is sent. */
  isDestroyed: boolean;
}

/** Requests that were started and are not over, and early aborts of requests that were not started yet. Shard only. */
export class Tasks {
  readonly #bySlot: (Task | undefined)[] = [];
  /** Tasks without a slot, by `requestKey`. */
  readonly #detached = new NumberedRoster<Task>();
  /** By slot: requests whose clients disconnected before they were started. */
  readonly #left = new Map<number, { sequence: number; isGone: boolean }>();
  #withSlot = 0;
  #upgraded = 0;

  /** Number of tasks that have a slot. */
  get withSlot(): number {
    return this.#withSlot;
  }

  get size(): number {
    return this.#withSlot + this.#detached.size;
  }

  /** Number of upgraded connections, which have no slot. */
  get upgraded(): number {
    return this.#upgraded;
  }

  /** Adds a request that was started. */
  add(task: Task): void {
    this.#bySlot[task.slot] = task;
    this.#withSlot++;
    if (this.#left.size === 0) return;
    const left = this.#left.get(task.slot);
    this.#left.delete(task.slot);
    if (left?.sequence === task.sequence) task.request.abort(left.isGone);
  }

  /** Removes a request that is over. */
  remove(task: Task): void {
    if (task.hasSlot) {
      this.#bySlot[task.slot] = undefined;
      this.#withSlot--;
    } else if (this.#detached.delete(requestKey(task)) && isUpgrade(task)) this.#upgraded--;
  }

  /** Separates a task from its slot, which is about to carry another request. */
  detach(task: Task): void {
    this.remove(task);
    task.hasSlot = false;
    this.#detached.set(requestKey(task), task);
    if (isUpgrade(task)) this.#upgraded++;
  }

  find(name: RequestName): Task | undefined {
    const task = this.#bySlot[name.slot];
    if (task?.sequence === name.sequence) return task;
    return this.#detached.size === 0 ? undefined : this.#detached.get(requestKey(name));
  }

  /** Remembers that a client disconnected before its request was started. */
  noteLeft({ slot, sequence }: RequestName, isGone: boolean): void {
    this.#left.set(slot, { sequence, isGone: isGone || this.#left.get(slot)?.isGone === true });
  }

  *upgradedTasks(): Generator<Task> {
    for (const task of this.#detached) if (isUpgrade(task)) yield task;
  }

  *[Symbol.iterator](): Generator<Task> {
    for (const task of this.#bySlot) if (task !== undefined) yield task;
    yield* this.#detached;
  }
}

function isUpgrade({ raw }: Task): boolean {
  return raw?.isUpgrade === true;
}
