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
  {
    suite: 'fastify',
    reason:
      'The method is one that no app can handle, for which RFC 9110 section 9.1 recommends 501; node:http sends 400.',
    tests: ['test/404s.test.js › Unknown method'],
  },
  {
    suite: 'fastify',
    reason:
      'LoopShard rejects requests that are invalid or too slow in the HTTP thread, with a response of its own: no app, and so no `clientErrorHandler`, sees them.',
    tests: [
      'test/client-timeout.test.js › requestTimeout should return 408',
      'test/reply-error.test.js › Should reply 400 on client error',
      'test/reply-error.test.js › Should set the response from client error handler',
      'test/request-error.test.js › non-numeric content-length is rejected before Fastify body parsing',
    ],
  },
  {
    suite: 'fastify',
    reason:
      'While it closes, LoopShard ends each connection behind the response in flight, with `Connection: close` (RFC 9112 section 9.6); node:http leaves it open for further requests, which Fastify rejects.',
    tests: [
      'test/close-pipelining.test.js › Should return 503 while closing - pipelining',
      'test/close.test.js › Current opened connection should NOT continue to work after closing and return "connection: close" header - return503OnClosing: false',
      'test/close.test.js › Current opened connection should not accept new incoming connections',
      'test/close.test.js › rejected incoming connections should be logged',
    ],
  },
  {
    suite: 'fastify',
    reason:
      'LoopShard ignores what follows a response with `Connection: close`, as RFC 9112 section 9.6 requires; node:http answers it with 503.',
    tests: ['test/max-requests-per-socket.test.js › maxRequestsPerSocket'],
  },
  {
    suite: 'fastify',
    reason: 'A target that is too long gets 414, as RFC 9112 section 3 requires; node:http sends 431.',
    tests: ['test/header-overflow.test.js › Should return 431 if URI is too long'],
  },
  {
    suite: 'fastify',
    reason:
      'LoopShard rejects a request of HTTP/1.1 without `Host`, as RFC 9112 section 3.2 requires, whatever the app says.',
    tests: [
      'test/request-header-host.test.js › Return 200 when Host header is missing and http.requireHostHeader = false',
      'test/request-header-host.test.js › Return 200 when Host header is missing and http.requireHostHeader = false with trust proxy',
    ],
  },
];
