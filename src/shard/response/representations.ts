import { tagOf, weaken } from '../../app/entity-tags.js';
import type { ResponseState } from '../../app/response-state.js';
import type { Encoding } from '../../options/compression.js';
import type { SlotRequest } from '../request/request.js';
import { isEligible, Negotiation } from './negotiation.js';

/** The client already has the representation: send 304. */
export const NOT_MODIFIED = 'not modified';
/** Send the body unchanged. */
export const AS_IT_IS = 'as it is';

const ACCEPT_ENCODING = 'accept-encoding';

/** Computes what depends on the body of a response: entity tag, content coding, and whether it becomes a 304. Shard only. */
export class Representations {
  readonly #negotiation = new Negotiation();

  /**
   * Sets the headers that describe the body.
   * @param body `undefined` for a stream
   * @returns how to send it
   * @throws LoopShardError HEADER_INVALID
   */
  describe(
    request: SlotRequest,
    response: ResponseState,
    body: Uint8Array | undefined,
  ): Encoding | typeof NOT_MODIFIED | typeof AS_IT_IS {
    response.isDescribed = true;
    if (response.tag !== undefined) response.set('etag', response.tag.value ?? weakly(response.tag.isWeak, body));
    const encoding = this.#negotiate(request, response, body?.length);
    const tag = response.field('etag');
    if (encoding !== undefined && tag !== undefined) response.set('etag', weaken(tag));
    if (response.fresh) return NOT_MODIFIED;
    if (encoding === undefined) return AS_IT_IS;
    response.set('content-encoding', encoding);
    return encoding;
  }

  #negotiate(request: SlotRequest, response: ResponseState, bytes: number | undefined): Encoding | undefined {
    const { compress: rules } = response;
    if (rules === undefined) return undefined;
    const candidate = {
      type: response.contentType,
      bytes,
      cacheControl: response.field('cache-control'),
      contentEncoding: response.field('content-encoding'),
      contentRange: response.field('content-range'),
    };
    if (!isEligible(rules, candidate)) return undefined;
    vary(response);
    return this.#negotiation.encoding(rules, request.header(ACCEPT_ENCODING));
  }
}

function weakly(isWeak: boolean, body: Uint8Array | undefined): string {
  // `body` is always set here: for a stream, `etag()` without a value throws.
  const tag = tagOf(body ?? new Uint8Array());
  return isWeak ? weaken(tag) : tag;
}

/** Makes caches keep a separate response for each value of Accept-Encoding (RFC 9110 section 12.5.5). */
function vary(response: ResponseState): void {
  const before = response.field('vary');
  if (before === undefined) return response.set('vary', ACCEPT_ENCODING);
  const names = before.split(',').map((name) => name.trim().toLowerCase());
  if (!names.includes('*') && !names.includes(ACCEPT_ENCODING)) response.set('vary', `${before}, ${ACCEPT_ENCODING}`);
}
