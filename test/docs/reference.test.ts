import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Program, root } from '../support/process.js';

/* docs/reference/ is generated from the types of the build. */
let folder: string;
let generator: Program;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loopshard-'));
  generator = new Program(process.execPath, ['scripts/reference/generate.js', folder]);
  await generator.exit();
});

afterAll(() => rm(folder, { recursive: true }));

async function pagesOf(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.md')).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')])),
  );
}

test('every export and every member of one has a docstring', () => {
  expect([generator.stderr, generator.stdout, generator.child.exitCode]).toEqual(['', '', 0]);
});

test('the pages are up to date; if not, run `npm run docs:reference`', async () => {
  const generated = await pagesOf(folder);
  expect(Object.keys(generated)).toContain('loopshard.md');
  expect(await pagesOf(join(root, 'docs/reference'))).toEqual(generated);
});
