import type { RefusalTemplate } from '../contract/messages.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { checkFieldName, checkFieldValue, SERVER_FIELDS } from './header-checks.js';

/** Template of the responses that the HTTP thread sends in place of a handler: 404, 405, 413, 429, 503, 504 and similar. */
export interface RefusalOptions {
  /** A status, or a class such as `4xx`. If several templates match a status, the most specific one is used. Default: all. */
  status?: number | '4xx' | '5xx';
  /** Additional headers. */
  headers?: Readonly<Record<string, string>>;
  /** Content type of `body`. Default `application/json`. */
  type?: string;
  /** The body. `{statusCode}`, `{code}` and `{message}` are replaced; as JSON if `type` is JSON. Default: a JSON object with all three. */
  body?: string;
}

const KEYS: readonly string[] = ['status', 'headers', 'type', 'body'];
/** Headers that the server sets on refusals, in addition to `SERVER_FIELDS`; `type` is the content type. */
const OWN_FIELDS = ['content-length', 'content-type', 'allow'];

/** @throws LoopShardError OPTION_UNKNOWN, OPTION_INVALID, HEADER_INVALID */
export function refusalTemplate(options: RefusalOptions): RefusalTemplate {
  if (typeof options !== 'object' || options === null) throw invalid('an object', options);
  checkOptionNames(options, KEYS, '`app.refusals()`');
  const { status, headers = {}, type = 'application/json', body } = options;
  const isStatus = Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599;
  if (status !== undefined && status !== '4xx' && status !== '5xx' && !isStatus) {
    throw invalid("`status` to be an integer from 400 to 599, '4xx' or '5xx'", status);
  }
  if (body !== undefined && typeof body !== 'string') throw invalid('`body` to be a string', body);
  const lines = Object.entries(headers).map(([name, value]) => checkLine(name.toLowerCase(), value));
  checkFieldValue('content-type', type);
  return { status: status === undefined ? undefined : String(status), lines, type, body };
}

function checkLine(name: string, value: string): string {
  checkFieldName(name);
  if (SERVER_FIELDS.has(name) || OWN_FIELDS.includes(name)) {
    throw new LoopShardError('HEADER_INVALID', `Cannot set the header \`${name}\` of refusals: the server sets it.`);
  }
  return `${name}: ${checkFieldValue(name, value)}`;
}

function invalid(expected: string, value: unknown): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `\`app.refusals()\` expects ${expected}, got ${JSON.stringify(value)}.`);
}
