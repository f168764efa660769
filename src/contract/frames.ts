/* Determines which code a line of a stack belongs to. */
import { fileURLToPath } from 'node:url';
import type { Position } from './syntax-errors.js';

/** Files of this package, bundled or not. Jest names modules by their paths. */
const FOLDER = new URL('../', import.meta.url);
const OWN = [FOLDER.href, fileURLToPath(FOLDER)];
/** The position in a frame of any file. */
const FRAME_POSITION = /((?:file:\/\/|\/|[a-z]:\\)[^()]*):(\d+):(\d+)\)?$/i;

/** The position of a frame; undefined if it is not in a file. */
export function framePosition(frame: string): Position | undefined {
  const match = FRAME_POSITION.exec(frame);
  return match === null ? undefined : { file: match[1], line: Number(match[2]), column: Number(match[3]) };
}

export function isFrame(line: string): boolean {
  return /^ {4}at /.test(line);
}

/** Whether a frame belongs neither to LoopShard nor to the internals of Node.js. */
export function isForeignFrame(frame: string): boolean {
  return !OWN.some((folder) => frame.includes(folder)) && !/\bnode:(internal\/|async_hooks)/.test(frame);
}

/** Removes the frames of LoopShard that have called the user's code. A stack without frames of the user is returned unchanged. */
export function withoutCallers(stack: string): string {
  const lines = stack.split('\n');
  const last = lines.findLastIndex(
    (line) => isFrame(line) && isForeignFrame(line) && framePosition(line) !== undefined,
  );
  if (last < 0) return stack;
  return lines.filter((line, i) => i <= last || !isFrame(line)).join('\n');
}
