import { type Answer, errorAnswer, oncePerSecond, type Reason } from '../answers.js';

export interface RefusalOptions {
  /** Of OVERLOADED. */
  status: number;
  retryAfterSeconds: number;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
}

/** What the HTTP thread answers when it does not let a request happen: counted, and made once a second. HTTP thread. */
export class Refusals {
  /** How many there were, by reason. */
  readonly counts: Partial<Record<Reason, number>> = {};
  readonly #options: RefusalOptions;
  readonly #answers = new Map<string, () => Answer>();

  constructor(options: RefusalOptions) {
    this.#options = options;
  }

  /** An answer that may be sent several times; nobody writes to it. */
  answer(reason: Reason, isHead: boolean): Answer {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
    const key = isHead ? `HEAD ${reason}` : reason;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      const { status, ...common } = this.#options;
      const options = { isHead, ...common, ...(reason === 'OVERLOADED' && { status }) };
      answer = oncePerSecond(() => errorAnswer(reason, options));
      this.#answers.set(key, answer);
    }
    return answer();
  }
}
