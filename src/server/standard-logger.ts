import { isatty } from 'node:tty';
import type { DestinationStream, pino as Pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';
import type { Logger, LogLevel } from '../options/logger.js';

const STDERR = 2;
/** What a line of the access log has, which people read as one sentence. */
const ACCESS_FIELDS = ['id', 'ip', 'method', 'target', 'status', 'bytes', 'durationMs', 'aborted'];

/** How lines look in a terminal: one for each answer, and the stack of an error. */
const FOR_PEOPLE: PrettyOptions = {
  destination: STDERR,
  ignore: ['pid', 'hostname', 'name', ...ACCESS_FIELDS].join(','),
  translateTime: 'SYS:HH:MM:ss.l',
  messageFormat: (line, key) => (line.status === undefined ? String(line[key]) : accessText(line)),
};

/** The log of a server that was given no logger: pino to standard error, as lines for people if that is a terminal. */
export async function standardLogger(level: LogLevel): Promise<Logger> {
  const { pino } = await import('pino');
  const logger: Logger = pino({ name: 'loopshard', level }, await destination(pino));
  return logger;
}

async function destination(pino: typeof Pino): Promise<DestinationStream> {
  if (isatty(STDERR)) return (await import('pino-pretty')).default(FOR_PEOPLE);
  const stderr = pino.destination(STDERR);
  // On a full disk behind standard error, for instance, lines are lost and the server goes on.
  stderr.on('error', () => {});
  return stderr;
}

function accessText({ method, target, status, bytes, durationMs, id, ip, aborted }: Record<string, unknown>): string {
  const request = method === null ? 'unreadable request' : `${method} ${target ?? ''}`.trim();
  const of = [ip, id].filter((one) => one !== undefined).join(' ');
  return `${request} ${status} ${bytes} B ${durationMs} ms${of === '' ? '' : ` (${of})`}${aborted === true ? ' aborted' : ''}`;
}
