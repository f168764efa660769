/* CORS header fields (https://fetch.spec.whatwg.org/#http-cors-protocol), the same on shards and HTTP threads. */

/** The options of `app.cors()`. */
export interface CorsRules {
  /** Origins as browsers send them, or `*` for all. */
  origins: readonly string[] | '*';
  credentials: boolean;
  /** Header fields that requests may have; undefined allows all that the browser asks for. */
  headers: readonly string[] | undefined;
  exposedHeaders: readonly string[];
  maxAgeSeconds: number;
}

/** What the response to a preflight depends on. */
export interface Preflight {
  origin: string | undefined;
  /** Allowed methods, in upper case. */
  methods: string;
  /** The field Access-Control-Request-Headers. */
  requestedHeaders: string | undefined;
}

/** The CORS lines, without line ends, of every response to a request of this origin. */
export function corsLines(rules: CorsRules, origin: string | undefined): string[] {
  const { origins, credentials, exposedHeaders } = rules;
  // With `*` the response does not depend on the origin.
  const lines = origins === '*' ? [] : ['vary: origin'];
  if (!isAllowed(rules, origin)) return lines;
  lines.push(`access-control-allow-origin: ${origins === '*' ? '*' : origin}`);
  if (credentials) lines.push('access-control-allow-credentials: true');
  if (exposedHeaders.length > 0) lines.push(`access-control-expose-headers: ${exposedHeaders.join(', ')}`);
  return lines;
}

/** The CORS lines, without line ends, of the response to a preflight. */
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

/** Whether responses to this origin name it. */
export function namesOrigin({ origins }: CorsRules, origin: string | undefined): origin is string {
  return origins !== '*' && origin !== undefined && origins.includes(origin);
}
