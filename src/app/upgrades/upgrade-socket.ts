import type { Duplex } from 'node:stream';

/**
 * The connection of an upgraded request, such as a WebSocket: what is written is sent as it is, and what the client sends after its request
 * is read. Has what protocols use of a `net.Socket`. Both directions have backpressure. Shard only.
 */
export interface UpgradeSocket extends Duplex {
  /** Bytes that the client has sent after its request. */
  readonly bytesRead: number;
  /** Bytes that were written, whether they have been sent or not. */
  readonly bytesWritten: number;
  /** Address of the client, or of the nearest proxy; undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** Port of the client; undefined on a Unix socket. */
  readonly remotePort: number | undefined;
  /** `IPv4` or `IPv6`; undefined on a Unix socket. */
  readonly remoteFamily: string | undefined;
  /** Whether TLS secures the connection. */
  readonly encrypted: boolean;
  /** `open`, `readOnly`, `writeOnly` or `closed`. */
  readonly readyState: string;
  /** The `http.Server` whose listener takes over the connection, if the module has one. */
  server: object | undefined;
  /** The timeout in milliseconds; 0 if none is set. */
  readonly timeout: number;
  /**
   * Emits `timeout` if nothing is read or written for as long. It does not close the connection.
   * @param ms in milliseconds; 0 removes the timeout
   */
  setTimeout(ms: number, listener?: () => void): this;
  /** Closes the connection after what was written. */
  destroySoon(): void;
  /** The same as `destroy()`. */
  resetAndDestroy(): this;
  /** No effect: the HTTP thread sends without delay. */
  setNoDelay(): this;
  /** No effect. */
  setKeepAlive(): this;
  /** No effect. */
  ref(): this;
  /** No effect. */
  unref(): this;
}
