/** Receives errors and warnings, and with `accessLog` a line per response. Compatible with pino. */
export interface Logger {
  /** Logs what has failed. */
  error(details: object, message: string): void;
  /** Logs what may need attention. */
  warn(details: object, message: string): void;
  /** Logs what has happened, such as a response. */
  info(details: object, message: string): void;
}

/** The lowest level to log. */
export type LogLevel = 'info' | 'warn' | 'error' | 'silent';

export function logLevelOf({ logLevel, accessLog = false }: { logLevel?: LogLevel; accessLog?: boolean }): LogLevel {
  return logLevel ?? (accessLog ? 'info' : 'warn');
}
