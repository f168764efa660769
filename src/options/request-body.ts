import type { Subject } from './checks.js';

/** How a route takes request bodies. */
export interface RequestBodyOptions {
  /**
   * `'stream'`: the handler starts as soon as the head has arrived, and reads the body with `req.stream()`. By default it starts
   * once the whole body has arrived, within `limits.maxBodyBytes` of the server.
   */
  body?: 'stream';
  /** With `body: 'stream'`: largest body in bytes; larger ones get 413. 0 (default) disables the limit. */
  maxBodyBytes?: number;
}

export const REQUEST_BODY_OPTIONS = ['body', 'maxBodyBytes'] as const satisfies readonly (keyof RequestBodyOptions)[];

/** @throws LoopShardError */
export function checkRequestBody(
  { body, maxBodyBytes }: RequestBodyOptions,
  subject: Subject,
): { limitBytes: number } | undefined {
  if (body === undefined) {
    if (maxBodyBytes === undefined) return undefined;
    throw subject.wrong(
      `Option ${subject.named('maxBodyBytes')} needs \`body: 'stream'\`. Other routes use \`limits.maxBodyBytes\` of the server.`,
    );
  }
  subject.oneOf('body', body, ['stream']);
  return { limitBytes: subject.integer('maxBodyBytes', maxBodyBytes ?? 0, 0, Number.MAX_SAFE_INTEGER) };
}
