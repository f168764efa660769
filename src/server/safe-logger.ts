import type { Logger } from '../options/logger.js';

/** Wraps a logger so that its failures cannot end the HTTP thread. */
export function safeLogger(logger: Logger): Logger {
  const safe = (level: keyof Logger) => (details: object, message: string) => {
    try {
      const result: unknown = logger[level](details, message);
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // The failure cannot be logged either.
    }
  };
  return { error: safe('error'), warn: safe('warn'), info: safe('info') };
}
