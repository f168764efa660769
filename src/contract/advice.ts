/* What to do about errors of Node.js that newcomers meet, and whose messages do not say it. */
import type { ErrorText } from './describe.js';

/** Methods of responses in Express and Node.js, and what to do in their place. */
const RESPONSE_METHODS: Record<string, string> = {
  send: 'return the text or the bytes',
  json: 'return the value',
  end: 'return the body, or nothing',
  write: 'return an async iterable of the parts',
  set: 'call `res.header(name, value)`',
  setHeader: 'call `res.header(name, value)`',
  sendStatus: 'call `res.status(code)`, and return nothing',
  sendFile: 'serve files with `app.files(prefix, directory)`',
};

const COMMON_JS = /^(?:Cannot use import statement outside a module|Unexpected token 'export')$/;
const LISTEN = /^\S+\.listen is not a function$/;
const RESPONSE_METHOD = /^res\.(\w+) is not a function$/;

/** Returns what to do about an error that a user's code has caused, if its message is a known one. */
export function adviceOn({ message }: ErrorText): string | undefined {
  if (COMMON_JS.test(message)) {
    return 'Node.js reads the file as CommonJS. Run `npm pkg set type=module`, or name the file `.mjs` (`.mts` for TypeScript).';
  }
  if (LISTEN.test(message)) {
    return 'Apps of LoopShard do not listen: remove the call, export the app, and run `loopshard serve` or call `serve()` in another module.';
  }
  const method = RESPONSE_METHOD.exec(message)?.[1] ?? '';
  if (!Object.hasOwn(RESPONSE_METHODS, method)) return undefined;
  return `LoopShard sends what a handler returns: ${RESPONSE_METHODS[method]}.`;
}
