/* The URL of a request. */

/** Paths and queries that the URL parser would not change, except for dot segments. */
const CLEAN_TARGET = /^\/[!$&(-;=?-[\]_a-z~]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?]|$)/i;
/** Hosts that the URL parser would not change. It removes the ports 80 and 443 where they are the standard. */
const CLEAN_HOST = /^(?:[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*|127\.0\.0\.1)(?::[1-9]\d{2,4})?$/;
const STANDARD_PORT = /:(?:80|443)$/;
/** For requests without Host, which only HTTP/1.0 allows. */
const NO_HOST = 'localhost';

/** The latest origin: most requests of a server have the same one. */
let latest = { protocol: '', host: '', origin: '', isClean: false };

/**
 * Builds the URL of a request, as the URL parser would write it.
 * @param host the requested host, with a port unless it is the standard one
 * @param target of the request, in origin form, absolute form or `*`
 */
export function urlOf(protocol: 'http' | 'https', host: string | undefined, target: string): string {
  const { origin, isClean } = originOf(protocol, host ?? NO_HOST);
  if (isClean && CLEAN_TARGET.test(target) && !DOT_SEGMENT.test(target)) return origin + target;
  if (target.startsWith('/')) return parse(`${origin}${target}`) ?? `${protocol}://${NO_HOST}${target}`;
  return parse(target) ?? `${origin}/${target}`;
}

function originOf(protocol: 'http' | 'https', host: string): typeof latest {
  if (latest.host !== host || latest.protocol !== protocol) {
    const isClean = CLEAN_HOST.test(host) && !STANDARD_PORT.test(host) && URL.canParse(`${protocol}://${host}`);
    latest = { protocol, host, origin: `${protocol}://${host}`, isClean };
  }
  return latest;
}

function parse(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).href : undefined;
}

/**
 * Removes leading segments from the path of a target.
 * @param segments how many
 */
export function withoutSegments(target: string, segments: number): string {
  let start = 0;
  for (let i = 0; i < segments; i++) {
    const next = indexOfEnd(target, start + 1);
    if (target[next] !== '/') return `/${target.slice(next)}`;
    start = next;
  }
  return target.slice(start);
}

/** Returns the position of the next slash, or of the query, or the length. */
function indexOfEnd(target: string, from: number): number {
  for (let i = from; i < target.length; i++) if (target[i] === '/' || target[i] === '?') return i;
  return target.length;
}
