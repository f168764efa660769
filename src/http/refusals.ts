import type { RefusalTemplate } from '../contract/messages.js';
import { type Answer, compose, EMPTY, oncePerSecond, REASONS, type Reason } from './answers.js';

export interface RefusalOptions {
  /** Of OVERLOADED. */
  status: number;
  retryAfterSeconds: number;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  /** What the app says of them. */
  templates: readonly RefusalTemplate[];
}

/** What a refusal depends on beside its reason. */
export interface RefusedRequest {
  /** The request was HEAD: no body. */
  isHead: boolean;
  /** Value of its Origin field. */
  origin?: string | undefined;
  /** Value of the Allow field. */
  allow?: string;
  /** The connection ends behind it. */
  closes?: boolean;
}

/** What the HTTP thread answers when it does not let a request happen: made once a second. HTTP thread. */
export class Refusals {
  /** How many requests were refused for want of room or time, by reason. */
  readonly counts: Partial<Record<Reason, number>> = {};
  /** Some depend on the request's origin. */
  readonly dependOnOrigin: boolean;
  readonly #options: RefusalOptions;
  readonly #answers = new Map<string, () => Answer>();

  constructor(options: RefusalOptions) {
    this.#options = options;
    this.dependOnOrigin = options.templates.some(({ origins }) => origins.length > 0);
  }

  /** The same as `answer`, for want of room or time. */
  counted(reason: Reason, request: RefusedRequest): Answer {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
    return this.answer(reason, request);
  }

  /** An answer that may be sent several times; nobody writes to it. */
  answer(reason: Reason, request: RefusedRequest): Answer {
    const template = this.#template(this.#status(reason));
    const { isHead, allow = '', closes = false } = request;
    const origin = template?.origins.includes(request.origin ?? '') === true ? request.origin! : '';
    const key = `${reason} ${isHead} ${closes} ${allow} ${origin}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = oncePerSecond(() => this.#make(reason, { isHead, closes, allow, origin }, template));
      this.#answers.set(key, answer);
    }
    return answer();
  }

  #status(reason: Reason): number {
    return reason === 'OVERLOADED' ? this.#options.status : REASONS[reason][0];
  }

  /** The most specific one, of several the last. */
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
    const { keepAliveLines, retryAfterSeconds } = this.#options;
    const { type = 'application/json', lines: own = [], origins = [] } = template ?? {};
    const body = bodyOf(template?.body, type, { statusCode, code: reason, message: REASONS[reason][1] });
    const lines = [`content-type: ${type}`, `content-length: ${body.length}`];
    if (allow !== '') lines.push(`allow: ${allow}`);
    if (origin !== '') lines.push(`access-control-allow-origin: ${origin}`);
    if (origins.length > 0) lines.push('vary: origin');
    const saysWhen = own.some((line) => line.startsWith('retry-after:'));
    if ((statusCode === 503 || statusCode === 429) && !saysWhen) lines.push(`retry-after: ${retryAfterSeconds}`);
    return compose(statusCode, [...lines, ...own], closes ? '' : keepAliveLines, isHead ? EMPTY : body);
  }
}

/** The standard body, or the app's with what it depends on put in. */
function bodyOf(template: string | undefined, type: string, values: Record<string, string | number>): Buffer {
  if (template === undefined) return Buffer.from(JSON.stringify(values));
  const isJson = /[/+]json\b/.test(type);
  return Buffer.from(
    template.replace(/\{(statusCode|code|message)\}/g, (_, name) => {
      const text = String(values[name]);
      // Within the quotes of a JSON string.
      return isJson ? JSON.stringify(text).slice(1, -1) : text;
    }),
  );
}
