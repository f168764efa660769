import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './process.js';

/** A block of code in a page whose first line names its file. */
export interface Example {
  name: string;
  text: string;
}

/** Returns the examples of a page, such as `docs/apps.md`, in their order. */
export async function examplesOf(page: string): Promise<Example[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/```[jt]s\n\/\/ (\S+\.[cm]?[jt]s)\n([\s\S]*?)```/g)].map(([, name, code]) => ({
    name,
    text: code,
  }));
}

/** Returns the first block of code in a language, such as `json`, below a heading of a page. */
export async function blockOf(page: string, heading: string, language: string): Promise<string> {
  const text = await readFile(join(root, page), 'utf8');
  const section = text.slice(text.indexOf(`\n${heading}\n`));
  const match = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section);
  if (match === null) throw new Error(`${page} has no block of ${language} below ${heading}`);
  return match[1];
}

/**
 * Creates a folder as a user would have it: a package with LoopShard and the development dependencies of this repository installed.
 * @param name within build/
 * @param type of its package.json
 */
export async function createProject(name: string, type: 'module' | 'commonjs', examples: Example[]): Promise<string> {
  const folder = join(root, 'build', name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type }));
  await symlink(root, join(folder, 'node_modules', 'loopshard'), 'dir');
  for (const { name: file, text } of examples) await writeFile(join(folder, file), text);
  return folder;
}
