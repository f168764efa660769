import { isatty } from 'node:tty';
import type { DestinationStream, pino as Pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';
import type { Logger, LogLevel } from '../options/logger.js';

const STDERR = 2;
/** Fields of an access log line, which the terminal shows as one sentence. */
const ACCESS_FIELDS = ['id', 'ip', 'method', 'target', 'status', 'bytes', 'durationMs', 'aborted'];

/** The format for terminals: one line per response, and the stack of an error. */
const FOR_PEOPLE: PrettyOptions = {
  destination: STDERR,
  ignore: ['pid', 'hostname', 'name', ...ACCESS_FIELDS].join(','),
  translateTime: 'SYS:HH:MM:ss.l',
  messageFormat: (line, key) => (line.status === undefined ? String(line[key]) : accessText(line)),
};

/** The default logger: pino to standard error, with readable lines if that is a terminal. */
export async function standardLogger(level: LogLevel): Promise<Logger> {
  const { pino } = await import('pino');
  const logger: Logger = pino({ name: 'loopshard', level }, await destination(pino));
  return logger;
}

async function destination(pino: typeof Pino): Promise<DestinationStream> {
  if (isatty(STDERR)) return (await import('pino-pretty')).default(FOR_PEOPLE);
  const stderr = pino.destination(STDERR);
  // If standard error fails, as on a full disk, lines are lost and the server continues.
  stderr.on('error', () => {});
  return stderr;
}

function accessText({ method, target, status, bytes, durationMs, id, ip, aborted }: Record<string, unknown>): string {
  const request = method === null ? 'unreadable request' : `${method} ${target ?? ''}`.trim();
  const of = [ip, id].filter((one) => one !== undefined).join(' ');
  return `${request} ${status} ${bytes} B ${durationMs} ms${of === '' ? '' : ` (${of})`}${aborted === true ? ' aborted' : ''}`;
}
