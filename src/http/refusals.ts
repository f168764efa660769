import { randomUUID } from 'node:crypto';
import { type CorsRules, corsLines, namesOrigin } from '../contract/cors.js';
import type { RefusalTemplate } from '../contract/messages.js';
import { METHODS } from '../options/methods.js';
import { isSaneId } from '../options/request-id.js';
import { type Answer, compose, EMPTY, oncePerSecond, REASONS, type Reason, withLines } from './answers.js';
import type { RefusedRequest } from './exchange.js';
import type { RequestInHand } from './parser/request-in-hand.js';

const HEAD = METHODS.indexOf('HEAD');

export interface RefusalOptions {
  /** Status for OVERLOADED. */
  status: number;
  retryAfterSeconds: number;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  /** The app's templates for rejections. */
  templates: readonly RefusalTemplate[];
  /** The CORS rules of the app. */
  cors: CorsRules | undefined;
  /** Name of the header field with request ids, in lower case, if enabled. */
  requestId: string | undefined;
}

/** The responses of the HTTP thread to requests that it rejects, composed once per second. HTTP thread. */
export class Refusals {
  /** Number of requests rejected for lack of room or time, by reason. */
  readonly counts: Partial<Record<Reason, number>> = {};
  /** Whether rejections depend on the request's origin or id: then this is recorded for each request in case it is rejected later. */
  readonly dependOnRequest: boolean;
  readonly #options: RefusalOptions;
  readonly #answers = new Map<string, () => Answer>();

  constructor(options: RefusalOptions) {
    this.#options = options;
    this.dependOnRequest = options.cors !== undefined || options.requestId !== undefined;
  }

  /** The same as `answer`, for a lack of room or time. */
  counted(reason: Reason, request: RefusedRequest): Answer {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
    return this.answer(reason, request);
  }

  /** What rejections need to know about a request; `request` is undefined if its head has not arrived. */
  about(request: RequestInHand | undefined): RefusedRequest {
    const { requestId, cors } = this.#options;
    if (request === undefined) return { isHead: false };
    return {
      isHead: request.method === HEAD,
      origin: cors === undefined ? undefined : request.field('origin'),
      id: requestId === undefined ? undefined : sentId(request, requestId),
    };
  }

  /** A response that may be sent several times and must not be modified. */
  answer(reason: Reason, request: RefusedRequest): Answer {
    const template = this.#template(this.#status(reason));
    const { isHead, allow = '', closes = false } = request;
    const { cors } = this.#options;
    const origin = cors !== undefined && namesOrigin(cors, request.origin) ? request.origin : '';
    const key = `${reason} ${isHead} ${closes} ${allow} ${origin}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = oncePerSecond(() => this.#make(reason, { isHead, closes, allow, origin }, template));
      this.#answers.set(key, answer);
    }
    const { requestId } = this.#options;
    return requestId === undefined ? answer() : withLines(answer(), [`${requestId}: ${request.id ?? randomUUID()}`]);
  }

  #status(reason: Reason): number {
    return reason === 'OVERLOADED' ? this.#options.status : REASONS[reason][0];
  }

  /** The most specific template; of equally specific ones, the last. */
  #template(status: number): RefusalTemplate | undefined {
    const { templates } = this.#options;
    for (const wanted of [`${status}`, `${Math.floor(status / 100)}xx`, undefined]) {
      const found = templates.findLast((template) => template.status === wanted);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #make(
    reason: Reason,
    { isHead, closes, allow, origin }: { isHead: boolean; closes: boolean; allow: string; origin: string },
    template: RefusalTemplate | undefined,
  ): Answer {
    const statusCode = this.#status(reason);
    const { keepAliveLines, retryAfterSeconds, cors } = this.#options;
    const { type = 'application/json', lines: own = [] } = template ?? {};
    const body = bodyOf(template?.body, type, { statusCode, code: reason, message: REASONS[reason][1] });
    const lines = [`content-type: ${type}`, `content-length: ${body.length}`];
    if (allow !== '') lines.push(`allow: ${allow}`);
    if (cors !== undefined) lines.push(...corsLines(cors, origin));
    const saysWhen = own.some((line) => line.startsWith('retry-after:'));
    if ((statusCode === 503 || statusCode === 429) && !saysWhen) lines.push(`retry-after: ${retryAfterSeconds}`);
    return compose(statusCode, [...lines, ...own], closes ? '' : keepAliveLines, isHead ? EMPTY : body);
  }
}

/** The valid request id that the client sent. */
export function sentId(request: RequestInHand, field: string): string | undefined {
  const sent = request.list(field);
  return isSaneId(sent) ? sent : undefined;
}

/** The standard body, or the app's template with its placeholders replaced. */
function bodyOf(template: string | undefined, type: string, values: Record<string, string | number>): Buffer {
  if (template === undefined) return Buffer.from(JSON.stringify(values));
  const isJson = /[/+]json\b/.test(type);
  return Buffer.from(
    template.replace(/\{(statusCode|code|message)\}/g, (_, name) => {
      const text = String(values[name]);
      // The placeholder lies within the quotes of a JSON string.
      return isJson ? JSON.stringify(text).slice(1, -1) : text;
    }),
  );
}
