const MS_PER_S = 1_000;

/**
 * The lines by which each response says for how long its connection may be idle, as node:http does: a client that knows does not
 * send its next request just when the server closes. Empty for less than a second, which the field cannot say.
 */
export function keepAliveLines(limits: { keepAliveTimeoutMs: number; maxRequestsPerConnection: number }): string {
  const seconds = Math.floor(limits.keepAliveTimeoutMs / MS_PER_S);
  if (seconds === 0) return '';
  const max = limits.maxRequestsPerConnection === 0 ? '' : `, max=${limits.maxRequestsPerConnection}`;
  return `connection: keep-alive\r\nkeep-alive: timeout=${seconds}${max}\r\n`;
}
