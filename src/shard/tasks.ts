import type { AsyncResource } from 'node:async_hooks';
import type { Route } from '../app/definition.js';
import type { AppRequest } from '../app/request.js';
import type { AppResponse } from '../app/response.js';
import type { ResponseState } from '../app/response-state.js';
import { type RequestName, requestKey } from '../contract/messages.js';
import type { SlotView } from '../contract/slot-view.js';
import type { SlotRequest } from './request/request.js';
import type { Reply } from './response/responder.js';

/** A response that is sent in pieces. */
export interface TaskStream {
  /** Its head was sent, or is about to be. */
  readonly isBegun: boolean;
  /** The kernel has taken bytes, whose buffers can be used again; or `STREAM_CANCELLED`: nobody waits for more. */
  onTaken(bytes: number, spent?: ArrayBuffer[]): void;
  /** The client has gone: the source hears it, and the request is over when it has let go. */
  cancel(): void;
  /** Nothing more is sent: the response ends in its middle. */
  breakOff(): void;
}

/** A request in the hands of its handler. */
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
  /** In which everything of the user's runs that belongs to the request. */
  scope: AsyncResource;
  /** The response, if it is one. */
  stream: TaskStream | undefined;
  /** How many of the handler and the error handlers around it have failed: each has one try. */
  failures: number;
  /** None of its code is under way: no handler was started, or what it gave is here, and no stream. */
  hasSettled: boolean;
  /** It counts among those that the shard has permits for. */
  hasPermit: boolean;
  /** The slot is its own; a stream that goes on without one is known by the name of its request alone. */
  hasSlot: boolean;
  /** It was answered with 504, and its handler has not settled. */
  isAbandoned: boolean;
  /** Its connection is to be closed, and nothing is sent. */
  isDestroyed: boolean;
}

/** The requests that were started and are not over, and whatever came for requests that were not started yet. Shard. */
export class Tasks {
  readonly #bySlot: (Task | undefined)[] = [];
  /** Those without a slot, by `requestKey`. */
  readonly #detached = new Map<number, Task>();
  /** By slot: requests whose clients had left before they were started. */
  readonly #left = new Map<number, { sequence: number; isGone: boolean }>();
  #withSlot = 0;

  /** Those that have a slot. */
  get withSlot(): number {
    return this.#withSlot;
  }

  get size(): number {
    return this.#withSlot + this.#detached.size;
  }

  /** The request has been started. */
  add(task: Task): void {
    this.#bySlot[task.slot] = task;
    this.#withSlot++;
    if (this.#left.size === 0) return;
    const left = this.#left.get(task.slot);
    this.#left.delete(task.slot);
    if (left?.sequence === task.sequence) task.request.abort(left.isGone);
  }

  /** The request is over. */
  remove(task: Task): void {
    if (task.hasSlot) {
      this.#bySlot[task.slot] = undefined;
      this.#withSlot--;
    } else this.#detached.delete(requestKey(task));
  }

  /** The slot is about to carry another request. */
  detach(task: Task): void {
    this.remove(task);
    task.hasSlot = false;
    this.#detached.set(requestKey(task), task);
  }

  find(name: RequestName): Task | undefined {
    const task = this.#bySlot[name.slot];
    if (task?.sequence === name.sequence) return task;
    return this.#detached.size === 0 ? undefined : this.#detached.get(requestKey(name));
  }

  /** The client of a request that may be started here later has left. */
  noteLeft({ slot, sequence }: RequestName, isGone: boolean): void {
    this.#left.set(slot, { sequence, isGone: isGone || this.#left.get(slot)?.isGone === true });
  }

  *[Symbol.iterator](): Generator<Task> {
    for (const task of this.#bySlot) if (task !== undefined) yield task;
    yield* this.#detached.values();
  }
}
