/* Responses whose bytes the app forms itself: what an adapter and the shard agree on. */

/** Key that marks a RawReply. A global symbol, because adapters may come from another copy of this module. */
export const RAW = Symbol.for('loopshard.raw');

/**
 * A response whose bytes, from the status line on, an app of another framework writes. A handler of a raw route returns it immediately;
 * the bytes may follow later. Shard only.
 */
export interface RawReply {
  readonly [RAW]: true;
  /**
   * The app takes over the connection: nothing that follows the request is HTTP any more. It is over when the app closes the connection,
   * not when the last byte was written. `attach` is called once the shard has room for it, and calls the app.
   */
  readonly isUpgrade: boolean;
  /** All bytes were written. */
  readonly isComplete: boolean;
  /** The app need not be told that the request is over. */
  readonly isSettled: boolean;
  /** The head says that the connection is closed after the response. Valid once the head was written. */
  readonly closes: boolean;
  /** The head tells where the body ends, so that a client notices if something is missing. Valid once the head was written. */
  readonly isFramed: boolean;
  /** Upper bound of the bytes that wait to be sent. */
  readonly mostBytes: number;
  /** Exact number of the bytes that wait to be sent. */
  readonly byteLength: number;
  /**
   * Copies all waiting bytes into shared memory.
   * @returns the address after the last byte
   */
  writeTo(memory: Buffer, at: number): number;
  /** Takes the oldest waiting bytes. */
  shift(): Uint8Array | undefined;
  /** Adds complete header lines to the head. Only before any byte was taken. */
  insertLines(lines: string): void;
  /** From now on, `host` is told about bytes. */
  attach(host: RawHost, task: unknown): void;
  /** Everything that was written was passed on. */
  onFlushed(): void;
  /** The request is over: the response was sent, or never will be. */
  onOver(): void;
}

/** The shard, for a RawReply that was attached. */
export interface RawHost {
  /**
   * Bytes wait to be sent.
   * @returns whether all of them were copied: their memory may change
   */
  onWritten(task: unknown): boolean;
  /** The last byte was written. */
  onComplete(task: unknown): void;
  /** The app failed. */
  onFailed(task: unknown, error: unknown): void;
  /** The app has closed an upgraded connection. */
  onClosed(task: unknown): void;
}

export function isRaw(value: unknown): value is RawReply {
  return typeof value === 'object' && value !== null && RAW in value;
}
