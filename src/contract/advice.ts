/* What to do about errors of Node.js that newcomers meet, and whose messages do not say it. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, relative } from 'node:path';
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

const NO_EXPORT = /does not provide an export named/;
/** The place at the beginning of a stack. */
const OF_TYPESCRIPT = /^\S.*\.[cm]?ts:\d+\n/;
/** Groups: what was not found. */
const NOT_FOUND = /^Cannot find (?:module|package) '([^']+)'/;
const PACKAGE = /^(?:@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*/i;
/** What `paths` of tsconfig.json usually begin with. */
const TSCONFIG_PATH = /^[@~]\//;
/** What may be meant by the path of a file that does not exist: without its extension, or of the file that it is compiled from. */
const SIBLINGS: readonly ((path: string) => string)[] = [
  (path) => path.replace(/js$/, 'ts'),
  (path) => path.replace(/jsx?$/, 'tsx'),
  ...['.js', '.mjs', '.cjs', '.ts', '.mts'].map((end) => (path: string) => path + end),
];

/** Returns what to do about an error that a user's code has caused, if its message is a known one. */
export function adviceOn({ message, code, stack }: ErrorText): string | undefined {
  if (COMMON_JS.test(message)) {
    return 'Node.js reads the file as CommonJS. Run `npm pkg set type=module`, or name the file `.mjs` (`.mts` for TypeScript).';
  }
  if (LISTEN.test(message)) {
    return 'Apps of LoopShard do not listen: remove the call, export the app, and run `loopshard serve` or call `serve()` in another module.';
  }
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return 'Node.js only removes types. Compile the module to JavaScript, or install tsx (`npm install --save-dev tsx`), which `loopshard dev` uses.';
  }
  if (NO_EXPORT.test(message) && OF_TYPESCRIPT.test(stack)) return 'If it is a type, import it with `import type`.';
  const missing = NOT_FOUND.exec(message)?.[1];
  if (missing !== undefined) return adviceOnMissing(missing);
  const method = RESPONSE_METHOD.exec(message)?.[1] ?? '';
  if (!Object.hasOwn(RESPONSE_METHODS, method)) return undefined;
  return `LoopShard sends what a handler returns: ${RESPONSE_METHODS[method]}.`;
}

/** @param missing a package, or the path of a file */
function adviceOnMissing(missing: string): string | undefined {
  if (TSCONFIG_PATH.test(missing)) {
    return 'Node.js does not read `paths` of tsconfig.json: use relative imports, `imports` of package.json, or tsx (`npm install --save-dev tsx`), which `loopshard dev` uses.';
  }
  if (!isAbsolute(missing)) {
    const name = PACKAGE.exec(missing)?.[0];
    return name && `Run \`npm install ${name}\`.`;
  }
  const meant = SIBLINGS.map((of) => of(missing)).find((path) => path !== missing && existsSync(path));
  if (meant === undefined) return undefined;
  return `Did you mean \`${relative(dirname(missing), meant)}\`? Node.js needs the name of the file in imports; tsx (\`npm install --save-dev tsx\`), which \`loopshard dev\` uses, does not.`;
}
