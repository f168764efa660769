/* Differences between a suite's results on node:http and on LoopShard, and why they are as they should be. */

const INVALID_HOST =
  'The test sends `Host: http://…`, which LoopShard rejects with 400, as RFC 9112 section 3.2 requires; node:http passes it on.';

/** @type {readonly import('./verdict.js').Known[]} */
export const KNOWN = [
  {
    suite: 'express',
    reason: INVALID_HOST,
    tests: [
      'test/res.redirect.js › res when accepting html should escape the url',
      'test/res.redirect.js › res when accepting html should not render evil javascript links in anchor href (prevent XSS)',
      'test/res.redirect.js › res when accepting text should encode the url',
    ],
  },
  {
    suite: 'express-session',
    reason: INVALID_HOST,
    tests: [
      'test/session.js › session() cookie option when "path" set to "/foo/bar" should not set cookie for "http://foo/bar" request',
    ],
  },
  {
    suite: 'node-server',
    reason:
      'A complete response ends the request: LoopShard closes the connection of a client that goes on with a body that nobody reads.',
    tests: [
      'test/server-socket.test.ts › autoCleanupIncoming: false › http › Should return 200 response - POST /no-body-consumed',
      'test/server-socket.test.ts › autoCleanupIncoming: false › https › Should return 200 response - POST /no-body-consumed',
    ],
  },
  {
    suite: 'node-server',
    reason:
      'LoopShard ends its side of the connection at once behind the response and discards what still arrives (RFC 9112 section 9.6), so that the client closes before another of its writes.',
    tests: [
      'test/server-socket.test.ts › lingering close for early 413 responses › Should keep HTTP/1 connection graceful after body-limit sends 413',
    ],
  },
];
