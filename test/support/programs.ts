import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from '@jest/globals';
import { Program } from './process.js';

/** Directories with system programs that are not in every user's PATH. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** The path of a system program; undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs tests that need a system program, or skips them if it is not installed. */
export function describeWith(name: string, tests: (command: string) => void): void {
  const command = findProgram(name);
  if (command !== undefined) describe(name, () => tests(command));
  else describe.skip(`${name} is not installed: skipped`, () => tests(name));
}

/** Runs a program until it exits; throws if it fails. */
export async function run(command: string, args: string[]): Promise<{ stdout: string; stderr: string }> {
  const program = new Program(command, args);
  const code = await program.exit();
  if (code !== 0) throw new Error(`${command} exited with ${code}: ${program.stderr}${program.stdout}`);
  return program;
}
