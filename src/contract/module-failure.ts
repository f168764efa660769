/* Formats why a user's module could not be loaded: one sentence, then the source line and the stack. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LoopShardError, type LoopShardErrorCode } from '../errors.js';
import { adviceOn } from './advice.js';
import { type ErrorText, describe as textOf } from './describe.js';
import { framePosition, isForeignFrame, isFrame } from './frames.js';
import { findSyntaxError, type Position } from './syntax-errors.js';

/** A place in the source. */
interface Place {
  /** Such as `/app/app.js:3:7`, or without the column. */
  name: string;
  /** The line, and a second one that marks the column. Absent if the source cannot be read. */
  excerpt?: string | undefined;
}

/** Longer lines, as in minified files, are not shown. */
const MAX_LINE = 200;
/** What Node.js prepends to the stack of a syntax error: place, source line and marker; in TypeScript also the line before. */
const MARKED = /^(\S.*:\d+)\n(?:.*\n)?(.*\n *\^+)\n/;
/** The message of a syntax error that tsx has found. */
const TRANSFORM_FAILED = /^Transform failed with .*\n(.*):(\d+):(\d+): ERROR: (.*)/;

/**
 * Imports a module of the user.
 * @throws LoopShardError MODULE_FAILED, or the code of a LoopShardError that the module threw
 */
export async function importModule(url: string): Promise<{ default?: unknown }> {
  try {
    return await import(url);
  } catch (error) {
    throw await moduleFailure(`Cannot load ${pathOf(url)}`, error, url);
  }
}

/**
 * Creates the error to report for one that a user's module threw.
 * @param what failed: the beginning of the sentence, unless the error is one of LoopShard, which has its own sentence
 * @param url of the imported module, if the error may be a syntax error in it
 */
export async function moduleFailure(what: string, error: unknown, url?: string): Promise<LoopShardError> {
  const described = textOf(error);
  const transform = TRANSFORM_FAILED.exec(described.message);
  if (transform !== null) return syntaxFailure(what, error, transform);
  const isOurs = error instanceof LoopShardError;
  const [sentence, ...more] = (isOurs ? described.message : `${what}: ${reasonOf(described)}`).split('\n');
  const frames = userFrames(described.stack);
  const place = markedPlace(described.stack) ?? placeOf(userPosition(frames) ?? (await syntaxError(error, url)));
  const lines = [sentence, ...more, place?.name, place?.excerpt, ...frames, ...(isOurs ? [] : causes(described))];
  return failureOf(isOurs ? error.code : 'MODULE_FAILED', lines, error);
}

function syntaxFailure(what: string, error: unknown, [, file, line, column, reason]: RegExpExecArray): LoopShardError {
  // esbuild counts columns from 0.
  const place = placeOf({ file, line: Number(line), column: Number(column) + 1 });
  return failureOf('MODULE_FAILED', [`${what}: SyntaxError: ${reason}`, place?.name, place?.excerpt], error);
}

function failureOf(code: LoopShardErrorCode, lines: readonly (string | undefined)[], cause: unknown): LoopShardError {
  const message = lines.filter((line) => line !== undefined).join('\n');
  const failure = new LoopShardError(code, message, { cause });
  // The error's own stack is that of the import.
  failure.stack = `${failure.name}: ${message}`;
  return failure;
}

/** Where the code of the user has thrown an error: the place, its source line, and the frames outside LoopShard. */
export function sourceOf(stack: string): { place: string | undefined; excerpt: string | undefined; frames: string[] } {
  const frames = userFrames(stack);
  const place = placeOf(userPosition(frames));
  return { place: place?.name, excerpt: place?.excerpt, frames };
}

function reasonOf(error: ErrorText): string {
  const { code, name, message } = error;
  const [, file] = (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /"\.[cm]?ts" for (.*)$/.exec(message)) || [];
  if (file === undefined) {
    const [sentence, ...more] = message.split('\n');
    const advice = adviceOn(error);
    return [`${name}: ${sentence}${advice === undefined ? '' : `. ${advice}`}`, ...more].join('\n');
  }
  return `Node.js ${process.versions.node} cannot load TypeScript (${file}). Compile it to JavaScript, or use Node.js 22.18 or later, which strips the types. For development, \`loopshard dev\` uses the tsx of your project.`;
}

/** Frames of the stack outside LoopShard and Node.js's loader. Empty if none is in a file of the user. */
function userFrames(stack: string): string[] {
  const frames = stack.split('\n').filter((line) => isFrame(line) && isForeignFrame(line));
  return frames.some((frame) => framePosition(frame) !== undefined) ? frames : [];
}

/** The first position outside packages, otherwise one inside. */
function userPosition(frames: readonly string[]): Position | undefined {
  const positions = frames.map(framePosition).filter((position) => position !== undefined);
  return positions.find(({ file }) => !/[\\/]node_modules[\\/]/.test(file)) ?? positions[0];
}

/** The place of a syntax error, if Node.js reports it. */
function markedPlace(stack: string): Place | undefined {
  const match = MARKED.exec(stack);
  return match === null ? undefined : { name: pathOf(match[1]), excerpt: match[2] };
}

async function syntaxError(error: unknown, url: string | undefined): Promise<Position | undefined> {
  return error instanceof SyntaxError && url !== undefined ? findSyntaxError(url) : undefined;
}

function placeOf(position: Position | undefined): Place | undefined {
  if (position === undefined) return undefined;
  const { line, column } = position;
  const path = pathOf(position.file);
  return { name: `${path}:${line}:${column}`, excerpt: excerpt(path, line, column) };
}

function excerpt(path: string, line: number, column: number): string | undefined {
  let source: string | undefined;
  try {
    source = readFileSync(path, 'utf8').split(/\r?\n/)[line - 1];
  } catch {
    return undefined;
  }
  if (source === undefined || source.length > MAX_LINE) return undefined;
  // Tabs are kept, so that the marker stands below its column.
  return `${source}\n${source.slice(0, column - 1).replaceAll(/[^\t]/g, ' ')}^`;
}

function causes({ cause }: ErrorText): string[] {
  return cause === undefined ? [] : [`Caused by ${cause.name}: ${cause.message}`, ...causes(cause)];
}

/** Returns a `file:` URL as a path, and any other URL unchanged. */
export function pathOf(url: string): string {
  return url.startsWith('file:') ? fileURLToPath(url) : url;
}
