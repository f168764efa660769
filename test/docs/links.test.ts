import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from '@jest/globals';
import GithubSlugger from 'github-slugger';
import type { Heading, Root } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { toString as textOf } from 'mdast-util-to-string';
import { visit } from 'unist-util-visit';
import { root } from '../support/process.js';

/* Whoever reads a page, on GitHub or in the installed package, can follow its links. */

const run = promisify(execFile);
/** Paths of the files in the package. */
let packed: Set<string>;
/** By path. */
let pages: Map<string, Root>;

beforeAll(async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [{ files }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  packed = new Set(files.map(({ path }: { path: string }) => path));
  const paths = [...packed].filter((path) => path.endsWith('.md'));
  pages = new Map(paths.map((path) => [path, fromMarkdown(readFileSync(join(root, path), 'utf8'))]));
});

/** A link to another file of the package, or to a heading. */
interface Link {
  /** Path of the target. */
  target: string;
  /** Of a heading; empty for none. */
  anchor: string;
  shown: string;
}

function linksOf(path: string): Link[] {
  const links: Link[] = [];
  visit(pages.get(path)!, ['link', 'image', 'definition'], (node) => {
    const { url } = node as { url: string };
    if (/^[a-z]+:/.test(url)) return;
    const [file, anchor = ''] = url.split('#');
    const target = file === '' ? path : normalize(join(dirname(path), file));
    links.push({ target: target.replace(/\/$/, ''), anchor, shown: `${path}: ${url}` });
  });
  return links;
}

/** The anchors of a page: those of its headings, as GitHub creates them, and those that generated pages write. */
function anchorsOf(path: string): Set<string> {
  const slugger = new GithubSlugger();
  const anchors = new Set<string>();
  visit(pages.get(path)!, 'html', ({ value }) => void anchors.add(/^<a id="(.*)">$/.exec(value)?.[1] ?? ''));
  visit(pages.get(path)!, 'heading', (heading: Heading) => void anchors.add(slugger.slug(textOf(heading))));
  return anchors;
}

test('every file that a page links is in the package', () => {
  const links = [...pages.keys()].flatMap(linksOf);
  expect(links.length).toBeGreaterThan(200);
  const isThere = ({ target }: Link) => packed.has(target) || [...packed].some((path) => path.startsWith(`${target}/`));
  expect(links.filter((link) => !isThere(link)).map(({ shown }) => shown)).toEqual([]);
});

test('every heading that a page links exists', () => {
  const links = [...pages.keys()].flatMap(linksOf).filter(({ anchor, target }) => anchor !== '' && pages.has(target));
  expect(links.length).toBeGreaterThan(50);
  const anchors = new Map([...pages.keys()].map((path) => [path, anchorsOf(path)]));
  expect(links.filter(({ target, anchor }) => !anchors.get(target)!.has(anchor)).map(({ shown }) => shown)).toEqual([]);
});

test('docs/README.md lists every page', () => {
  const listed = new Set(linksOf('docs/README.md').map(({ target }) => target));
  const written = [...pages.keys()].filter((path) => path.startsWith('docs/') && !path.startsWith('docs/reference/'));
  expect(written.filter((path) => path !== 'docs/README.md' && !listed.has(path))).toEqual([]);
});

test('every image has a text that stands in for it', () => {
  const texts: string[] = [];
  for (const page of pages.values()) visit(page, 'image', ({ alt }) => void texts.push(alt ?? ''));
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((text) => text.length < 20)).toEqual([]);
});

test('pages that messages, comments and tools name exist', () => {
  const files = ['src', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  );
  const named = files
    .filter((file) => /\.[jt]s$/.test(file) && !file.includes('node_modules'))
    .flatMap((file) => readFileSync(join(root, file), 'utf8').match(/\bdocs\/[\w/-]+\.md\b/g) ?? []);
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((path) => !pages.has(path))).toEqual([]);
});
