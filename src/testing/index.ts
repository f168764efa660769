/**
 * Tests an app without a port and without threads.
 * @module loopshard/testing
 */

export type { InjectedCookie, InjectOptions, InjectResponse } from './request.js';
export { close, createTestServer, inject, type TestOptions, type TestServer } from './test-server.js';
