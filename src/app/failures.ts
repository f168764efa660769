import { codeOf } from '../contract/describe.js';
import { isErrorStatus, isHttpError, type LoopShardErrorCode, statusName } from '../errors.js';
import { NOT_IN_VALUE, TOKEN } from '../options/field-syntax.js';
import { SERVER_FIELDS } from './header-checks.js';

/** Our own errors that are not the handler's fault, with the responses they get. */
const ANSWERED: { [code in LoopShardErrorCode]?: { statusCode: number; headers: Failure['headers'] } } = {
  BODY_INVALID: { statusCode: 400, headers: [] },
  BODY_INCOMPLETE: { statusCode: 400, headers: [] },
  TOO_MANY_STREAMS: { statusCode: 503, headers: [['retry-after', '1']] },
};

/** The response to a thrown value. */
export interface Failure {
  statusCode: number;
  headers: readonly (readonly [name: string, value: string])[];
  /** JSON. */
  body: string;
  /** The server is at fault. */
  isLogged: boolean;
}

/** Properties of errors from http-errors and many other libraries. */
interface Convention {
  statusCode?: unknown;
  status?: unknown;
  expose?: unknown;
  headers?: unknown;
  code?: unknown;
}

/** Derives the response from a thrown value of any type. */
export function failureOf(thrown: unknown): Failure {
  try {
    return read(thrown);
  } catch {
    // A proxy or a getter threw.
    return UNKNOWN;
  }
}

function read(thrown: unknown): Failure {
  const own = codeOf(thrown);
  if (own !== undefined) {
    const answer = ANSWERED[own];
    if (answer === undefined) return UNKNOWN;
    return { ...answer, body: bodyOf(answer.statusCode, own, (thrown as Error).message), isLogged: false };
  }
  if (!(thrown instanceof Error)) return UNKNOWN;
  const { statusCode: one, status, expose, headers, code } = thrown as Convention;
  const statusCode = one ?? status;
  if (!isErrorStatus(statusCode)) return UNKNOWN;
  const isExposed = typeof expose === 'boolean' ? expose : statusCode < 500;
  const name = isExposed && typeof code === 'string' ? code : statusName(statusCode);
  const details = isExposed && isHttpError(thrown) ? thrown.details : {};
  return {
    statusCode,
    headers: fieldsOf(headers),
    body: bodyOf(statusCode, name, isExposed ? thrown.message : 'The server could not handle the request.', details),
    isLogged: statusCode >= 500,
  };
}

const UNKNOWN: Failure = {
  statusCode: 500,
  headers: [],
  body: bodyOf(500, 'HANDLER_FAILED', 'The handler failed. The server has logged the error.'),
  isLogged: true,
};

function bodyOf(statusCode: number, code: string, message: string, details: object = {}): string {
  return JSON.stringify({ statusCode, code, message, ...details });
}

/** Returns the valid headers and drops the others: an invalid header must not hide the original error. */
function fieldsOf(headers: unknown): [string, string][] {
  if (typeof headers !== 'object' || headers === null) return [];
  return Object.entries(headers)
    .map(([name, value]): [string, string] => [name.toLowerCase(), String(value)])
    .filter(
      ([name, value]) =>
        TOKEN.test(name) && !NOT_IN_VALUE.test(value) && !SERVER_FIELDS.has(name) && !BODY_FIELDS.includes(name),
    );
}

/** Headers that the server sets for the JSON body. */
const BODY_FIELDS = ['content-type', 'content-length', 'content-encoding'];
