import { parseCookie } from 'cookie';
import { parse as parseQuery } from 'fast-querystring';
import { ALL_METHODS } from '../../options/methods.js';
import type { KeySource } from '../../options/scheduling.js';
import type { RequestInHand } from '../parser/request-in-hand.js';
import type { Router } from '../routing/router.js';

/**
 * The key by which a request is dispatched; undefined if it has none. HTTP thread.
 * @param isOffer it offers another protocol, which its route may take
 */
export function readKey(
  request: RequestInHand,
  source: KeySource,
  router: Router,
  isOffer: boolean,
): string | undefined {
  if ('header' in source) return nonEmpty(request.field(source.header.toLowerCase()));
  if ('cookie' in source) {
    const cookies = request.field('cookie');
    return cookies === undefined ? undefined : nonEmpty(parseCookie(cookies)[source.cookie]);
  }
  if ('param' in source)
    return nonEmpty(router.params(ALL_METHODS[request.method], request.path, isOffer)[source.param]);
  const value = parseQuery(readQuery(request))[source.query];
  return nonEmpty(Array.isArray(value) ? value[0] : value);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function readQuery({ target }: RequestInHand): string {
  const start = target.indexOf('?');
  return start < 0 ? '' : target.slice(start + 1);
}
