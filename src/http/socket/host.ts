import type { OutputHost } from '../completion/output.js';
import type { Exchange, Receiver } from '../exchange.js';
import type { Parsers } from '../parser/llhttp.js';
import type { RequestInHand } from '../parser/request-in-hand.js';
import type { ParserHost } from '../parser/request-sink.js';
import type { Refusals } from '../refusals.js';
import type { UpgradeHost } from './upgrade.js';

export interface ConnectionLimits {
  /** 0 disables the limit. */
  maxRequestsPerConnection: number;
  maxBufferedBytes: number;
  abortOnHalfClose: boolean;
}

/** What a connection needs from the HTTP thread. */
export interface ConnectionHost<Connection extends Receiver> extends OutputHost, UpgradeHost, ParserHost {
  readonly parsers: Parsers;
  readonly limits: ConnectionLimits;
  readonly refusals: Refusals;
  /** Routes a request and submits it, or responds immediately. */
  admit(request: RequestInHand, connection: Connection): Exchange;
  /** Registers a connection with a request that waits for an extent. */
  waitForRoom(connection: Connection): void;
  onConnectionClosed(connection: Connection): void;
  /** A shard has taken over the connection. */
  onUpgraded(): void;
  /** A step failed that affects only this client: its connection is closed. */
  onConnectionFailure(error: unknown): void;
}
