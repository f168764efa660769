/* What responses say to pages of other origins (https://fetch.spec.whatwg.org/#http-cors-protocol). Shards and HTTP threads say the same. */

/** What `app.cors()` was given. */
export interface CorsRules {
  /** Origins as browsers send them, or all of them. */
  origins: readonly string[] | '*';
  credentials: boolean;
  /** Header fields that requests may have; nothing for all that the browser asks for. */
  headers: readonly string[] | undefined;
  exposedHeaders: readonly string[];
  maxAgeSeconds: number;
}

/** The header fields of a response that a browser asks with before it sends a request. */
export interface Preflight {
  origin: string | undefined;
  /** Of the request that it wants to send, in upper case. */
  methods: string;
  /** The field Access-Control-Request-Headers. */
  requestedHeaders: string | undefined;
}

/** Lines, without their ends, of every response to a request of this origin. */
export function corsLines(rules: CorsRules, origin: string | undefined): string[] {
  const { origins, credentials, exposedHeaders } = rules;
  // With `*` all get the same, and caches may keep it.
  const lines = origins === '*' ? [] : ['vary: origin'];
  if (!isAllowed(rules, origin)) return lines;
  lines.push(`access-control-allow-origin: ${origins === '*' ? '*' : origin}`);
  if (credentials) lines.push('access-control-allow-credentials: true');
  if (exposedHeaders.length > 0) lines.push(`access-control-expose-headers: ${exposedHeaders.join(', ')}`);
  return lines;
}

/** Lines, without their ends, of the response to a preflight. */
export function preflightLines(rules: CorsRules, { origin, methods, requestedHeaders }: Preflight): string[] {
  const lines = corsLines(rules, origin);
  if (!isAllowed(rules, origin)) return lines;
  const headers = rules.headers?.join(', ') ?? requestedHeaders;
  lines.push(`access-control-allow-methods: ${methods}`, `access-control-max-age: ${rules.maxAgeSeconds}`);
  if (headers) lines.push(`access-control-allow-headers: ${headers}`);
  return lines;
}

function isAllowed(rules: CorsRules, origin: string | undefined): boolean {
  return rules.origins === '*' || namesOrigin(rules, origin);
}

/** Responses to this origin name it. */
export function namesOrigin({ origins }: CorsRules, origin: string | undefined): origin is string {
  return origins !== '*' && origin !== undefined && origins.includes(origin);
}
