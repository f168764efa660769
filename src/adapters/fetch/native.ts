/** The classes of Node.js, captured before others take their place. */
export const {
  Headers: NativeHeaders,
  Request: NativeRequest,
  Response: NativeResponse,
  fetch: nativeFetch,
} = globalThis;
