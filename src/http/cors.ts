import { type CorsRules, corsLines, preflightLines } from '../contract/cors.js';
import { type AnyMethod, METHODS } from '../options/methods.js';
import { type Answer, compose, EMPTY, withLines } from './answers.js';

/** The fields of a request that CORS depends on. */
interface CorsRequest {
  field(name: string): string | undefined;
}

/** Adds the CORS fields to a response of the HTTP thread. HTTP thread. */
export function readable(answer: Answer, rules: CorsRules | undefined, request: CorsRequest): Answer {
  return rules === undefined ? answer : withLines(answer, corsLines(rules, request.field('origin')));
}

/**
 * The response to a preflight; undefined for other requests. For a path without routes it allows every method, so that the page can read
 * the 404. HTTP thread.
 * @param allowed methods of the path
 */
export function preflightAnswer(
  rules: CorsRules | undefined,
  request: CorsRequest,
  allowed: readonly AnyMethod[],
  keepAliveLines: string,
): Answer | undefined {
  if (rules === undefined || request.field('access-control-request-method') === undefined) return undefined;
  const lines = preflightLines(rules, {
    origin: request.field('origin'),
    methods: (allowed.length > 0 ? allowed : METHODS).join(', '),
    requestedHeaders: request.field('access-control-request-headers'),
  });
  return compose(204, lines, keepAliveLines, EMPTY);
}
