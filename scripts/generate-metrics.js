/*
 * Writes the table of metrics in docs/metrics.md from the definitions in src/metrics/definitions.ts. `npm run generate` runs it;
 * test/metrics-docs.test.ts fails while the page is not what this would write.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DEFINITIONS } from '../build/src/metrics/definitions.js';

/**
 * docs/metrics.md with its table replaced.
 * @param {string} page
 */
export function metricsText(page) {
  const [before, after] = [page.split('<!-- metrics -->\n')[0], page.split('<!-- /metrics -->')[1]];
  if (after === undefined) throw new Error('docs/metrics.md has no <!-- metrics --> … <!-- /metrics -->');
  const rows = DEFINITIONS.map(({ name, type, labels, help }) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
  const table = ['| metric | type | labels | |', '|---|---|---|---|', ...rows].join('\n');
  return `${before}<!-- metrics -->\n${table}\n<!-- /metrics -->${after}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = fileURLToPath(new URL('../docs/metrics.md', import.meta.url));
  await writeFile(file, metricsText(await readFile(file, 'utf8')));
}
