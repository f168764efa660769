/* The classes of Node.js, captured before others take their place. */
export const NativeHeaders: typeof Headers = globalThis.Headers;
export const NativeRequest: typeof Request = globalThis.Request;
export const NativeResponse: typeof Response = globalThis.Response;
export const nativeFetch: typeof fetch = globalThis.fetch;
