/* Main module of the thread that locates a syntax error: imports a module with a debugger attached. */
import { type Runtime, Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';
import type { Position } from './syntax-errors.js';

const session = new Session();
/** URLs of scripts with a syntax error, by script id. */
const broken = new Map<string, string>();
session.connect();
session.on('Debugger.scriptFailedToParse', ({ params }) => broken.set(params.scriptId, params.url));
session.post('Debugger.enable');
try {
  await import(workerData);
} catch (error) {
  parentPort!.postMessage(positionOf(error));
}
process.exit();

function positionOf(error: unknown): Position | undefined {
  const { exceptionDetails } = post<{ exceptionDetails?: Runtime.ExceptionDetails }>('Runtime.getExceptionDetails', {
    errorObjectId: remoteId(error),
  });
  const file = broken.get(exceptionDetails?.scriptId ?? '');
  if (exceptionDetails === undefined || file === undefined) return undefined;
  return { file, line: exceptionDetails.lineNumber + 1, column: exceptionDetails.columnNumber + 1 };
}

/** The debugger's id of an object, which it finds through the global object. */
function remoteId(object: unknown): string | undefined {
  const key = 'loopshard.error';
  Object.assign(globalThis, { [key]: object });
  const { result } = post<Runtime.EvaluateReturnType>('Runtime.evaluate', { expression: `globalThis['${key}']` });
  return result.objectId;
}

/** Sends a command; a debugger of the same thread replies before `post` returns. */
function post<Result>(method: string, params: object): Result {
  let result: Result | undefined;
  session.post(method, params, (error, answer) => {
    if (error !== null) throw error;
    result = answer as Result;
  });
  return result!;
}
