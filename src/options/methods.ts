/** The methods of routes. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type Method = (typeof METHODS)[number];

/** Methods that the parser knows and only routes for apps of other frameworks have. All of them are in `http.METHODS` of Node.js 20. */
const RARE_METHODS = [
  'ACL',
  'BIND',
  'CHECKOUT',
  'COPY',
  'LINK',
  'LOCK',
  'M-SEARCH',
  'MERGE',
  'MKACTIVITY',
  'MKCALENDAR',
  'MKCOL',
  'MOVE',
  'NOTIFY',
  'PROPFIND',
  'PROPPATCH',
  'PURGE',
  'QUERY',
  'REBIND',
  'REPORT',
  'SEARCH',
  'SOURCE',
  'SUBSCRIBE',
  'TRACE',
  'UNBIND',
  'UNLINK',
  'UNLOCK',
  'UNSUBSCRIBE',
] as const;

/** All methods that the parser knows except CONNECT, which asks for a tunnel. Those of routes come first. A slot stores the index. */
export const ALL_METHODS = [...METHODS, ...RARE_METHODS] as const;
export type AnyMethod = (typeof ALL_METHODS)[number];
