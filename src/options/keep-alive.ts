const MS_PER_S = 1_000;
const TIMEOUT = /timeout=(\d+)(?:, max=(\d+))?/;

/**
 * Returns the header lines that announce the keep-alive timeout, as node:http sends them, so that clients do not send a request just as
 * the server closes the connection. Empty for less than a second, which the header cannot express.
 */
export function keepAliveLines(limits: { keepAliveTimeoutMs: number; maxRequestsPerConnection: number }): string {
  const seconds = Math.floor(limits.keepAliveTimeoutMs / MS_PER_S);
  if (seconds === 0) return '';
  const max = limits.maxRequestsPerConnection === 0 ? '' : `, max=${limits.maxRequestsPerConnection}`;
  return `connection: keep-alive\r\nkeep-alive: timeout=${seconds}${max}\r\n`;
}

/** What such lines announce; zeros if they are empty. */
export function announcedKeepAlive(lines: string): { timeoutMs: number; maxRequests: number } {
  const [, seconds = 0, max = 0] = TIMEOUT.exec(lines) ?? [];
  return { timeoutMs: Number(seconds) * MS_PER_S, maxRequests: Number(max) };
}
