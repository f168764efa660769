import type { Logger } from '../options/logger.js';

/** A logger whose failures stay its own: a log line that cannot be written must not end the HTTP thread. */
export function safeLogger(logger: Logger): Logger {
  const safe = (level: keyof Logger) => (details: object, message: string) => {
    try {
      const result: unknown = logger[level](details, message);
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // There is nobody left to tell.
    }
  };
  return { error: safe('error'), warn: safe('warn'), info: safe('info') };
}
