/** Receives errors and warnings, and with `accessLog` a line per response. Compatible with pino. */
export interface Logger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

/** The lowest level to log. */
export type LogLevel = 'info' | 'warn' | 'error' | 'silent';

export function logLevelOf({ logLevel, accessLog = false }: { logLevel?: LogLevel; accessLog?: boolean }): LogLevel {
  return logLevel ?? (accessLog ? 'info' : 'warn');
}
