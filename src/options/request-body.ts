import type { Subject } from './checks.js';

/** How a route takes request bodies. */
export interface RequestBodyOptions {
  /**
   * `'stream'`: the handler is started as soon as the head is there, and reads the body with `req.stream()`. By default it is
   * started once the body is whole, which `bodyLimitBytes` of the server bounds.
   */
  body?: 'stream';
  /** With `body: 'stream'`: the most bytes that a body may have, or 0 for any number. More get 413. Default 0. */
  bodyLimitBytes?: number;
}

export const REQUEST_BODY_OPTIONS = ['body', 'bodyLimitBytes'] as const satisfies readonly (keyof RequestBodyOptions)[];

/** @throws LoopShardError */
export function checkRequestBody(
  { body, bodyLimitBytes }: RequestBodyOptions,
  subject: Subject,
): { limitBytes: number } | undefined {
  if (body === undefined) {
    if (bodyLimitBytes === undefined) return undefined;
    throw subject.invalid('bodyLimitBytes', "left out unless body is 'stream'; the server has one", bodyLimitBytes);
  }
  subject.oneOf('body', body, ['stream']);
  return { limitBytes: subject.integer('bodyLimitBytes', bodyLimitBytes ?? 0, 0, Number.MAX_SAFE_INTEGER) };
}
