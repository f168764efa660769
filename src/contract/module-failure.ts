/* Why a user's module could not be loaded, as people want to read it: one sentence, then the source line and the stack. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LoopShardError } from '../errors.js';
import { type ErrorText, describe as textOf } from './describe.js';
import { framePosition, isForeignFrame, isFrame } from './frames.js';
import { findSyntaxError, type Position } from './syntax-errors.js';

/** Where in the source something went wrong. */
interface Place {
  /** As in `/app/app.js:3:7`, or without the column. */
  name: string;
  /** The line, and a second one that marks the column. Absent if the source cannot be read. */
  excerpt?: string | undefined;
}

/** Of a minified file, a line says nothing. */
const MAX_LINE = 200;
/** What Node.js puts in front of the stack of a syntax error: place, source line and marker. */
const MARKED = /^(\S.*:\d+)\n(.*\n *\^+)\n/;

/**
 * Imports a module of the user.
 * @throws LoopShardError MODULE_FAILED, or the code of the error of LoopShard that the module threw
 */
export async function importModule(url: string): Promise<{ default?: unknown }> {
  try {
    return await import(url);
  } catch (error) {
    throw await moduleFailure(`Cannot load ${pathOf(url)}`, error, url);
  }
}

/**
 * The error to report for one that a user's module threw.
 * @param what failed: the begin of the sentence, unless the error is one of LoopShard, which has a sentence of its own
 * @param url of the module that was imported, if the error may be one of its syntax
 */
export async function moduleFailure(what: string, error: unknown, url?: string): Promise<LoopShardError> {
  const described = textOf(error);
  const isOurs = error instanceof LoopShardError;
  const [sentence, ...more] = (isOurs ? described.message : `${what}: ${reasonOf(described)}`).split('\n');
  const frames = userFrames(described.stack);
  const place = markedPlace(described.stack) ?? placeOf(userPosition(frames) ?? (await syntaxError(error, url)));
  const lines = [sentence, ...more, place?.name, place?.excerpt, ...frames, ...(isOurs ? [] : causes(described))];
  const message = lines.filter((line) => line !== undefined).join('\n');
  const failure = new LoopShardError(isOurs ? error.code : 'MODULE_FAILED', message, { cause: error });
  // Its own stack is that of the import.
  failure.stack = `${failure.name}: ${message}`;
  return failure;
}

function reasonOf({ code, name, message }: ErrorText): string {
  const [, file] = (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /"\.[cm]?ts" for (.*)$/.exec(message)) || [];
  if (file === undefined) return `${name}: ${message}`;
  return `Node.js ${process.versions.node} cannot load TypeScript (${file}). Compile it to JavaScript, use the type stripping of Node.js 22.18 or later, or give the shards a loader: \`threads: { execArgv: ['--import=tsx'] }\`.`;
}

/** Frames of the stack that are neither of LoopShard nor of the loader of Node.js. Empty if none is of a file of the user. */
function userFrames(stack: string): string[] {
  const frames = stack.split('\n').filter((line) => isFrame(line) && isForeignFrame(line));
  return frames.some((frame) => framePosition(frame) !== undefined) ? frames : [];
}

/** The first position outside packages, or in one. */
function userPosition(frames: readonly string[]): Position | undefined {
  const positions = frames.map(framePosition).filter((position) => position !== undefined);
  return positions.find(({ file }) => !/[\\/]node_modules[\\/]/.test(file)) ?? positions[0];
}

/** Node.js says itself where most syntax errors are. */
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
  // Tabs stay, so that the marker stands below its column.
  return `${source}\n${source.slice(0, column - 1).replaceAll(/[^\t]/g, ' ')}^`;
}

function causes({ cause }: ErrorText): string[] {
  return cause === undefined ? [] : [`Caused by ${cause.name}: ${cause.message}`, ...causes(cause)];
}

/** A `file:` URL as a path, and everything else as it is. */
export function pathOf(url: string): string {
  return url.startsWith('file:') ? fileURLToPath(url) : url;
}
