/* Puts our classes in place of the globals. */
import { LazyHeaders } from './headers.js';
import { nativeFetch } from './native.js';
import { isLazyRequest, LazyRequest, toNativeRequest } from './request.js';
import { LazyResponse } from './response.js';

const STAND_INS = { Headers: LazyHeaders, Request: LazyRequest, Response: LazyResponse, fetch: fetchEither };

let uses = 0;
let replaced: PropertyDescriptorMap = {};

/** Replaces the globals of this thread, until `restoreGlobals` was called as often. */
export function replaceGlobals(): void {
  if (uses++ > 0) return;
  for (const [name, value] of Object.entries(STAND_INS)) {
    replaced[name] = Object.getOwnPropertyDescriptor(globalThis, name)!;
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

/** Puts the replaced globals back. */
export function restoreGlobals(): void {
  if (--uses > 0) return;
  Object.defineProperties(globalThis, replaced);
  replaced = {};
}

/** Stands in for `fetch`: accepts our requests too. */
async function fetchEither(input: Parameters<typeof nativeFetch>[0], init?: Parameters<typeof nativeFetch>[1]) {
  return nativeFetch(isLazyRequest(input) ? toNativeRequest(input) : input, init);
}
Object.defineProperty(fetchEither, 'name', { value: 'fetch' });
