/*
 * Writes what follows from the table of options: src/options/serve-options.ts, docs/options.md, and the tables in README.md. `npm run
 * generate` compiles the table first; test/options.test.ts and test/readme.test.ts fail while a file is not what this would write.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { entryOf, flagsOf, namesIn, pathOf, SECTION_NAMES, SECTIONS } from '../build/src/options/table.js';

/** @import { OptionEntry, OptionName, SectionName } from '../build/src/options/table.js' */

const WIDTH = 120;
const MIB = 2 ** 20;

const HEAD = `/* Generated from table.ts by \`npm run generate\`: edit the table. */
import type { TlsOptions } from 'node:tls';
import type { AdminOptions } from './admin.js';
import type { CompressOptions } from './compression.js';
import type { Logger } from './logger.js';
import type { RequestIdOptions } from './request-id.js';
import type {
  AdaptivePermits,
  Dispatch,
  GroupOptions,
  HealthPaths,
  PriorityFunction,
  ShardRange,
  Shedding,
} from './scheduling.js';
import type { ServerTiming } from './server-timing.js';
import type { TrustProxy } from './trust-proxy.js';
`;

/** The text of src/options/serve-options.ts. */
export function typesText() {
  const top = `/** Options of \`serve()\`. */\nexport interface ServeOptions {\n${properties(undefined)}\n${SECTION_NAMES.map(sectionProperty).join('\n')}\n}`;
  const sections = SECTION_NAMES.map(
    (name) =>
      `${docstring([SECTIONS[name].text], '')}\nexport interface ${SECTIONS[name].type} {\n${properties(name)}\n}`,
  );
  return `${[HEAD, top, ...sections].join('\n').replaceAll('\n}\n/**', '\n}\n\n/**')}\n`;
}

/** @param {SectionName | undefined} section */
function properties(section) {
  return namesIn(section)
    .map((name) => {
      const entry = entryOf(name);
      return `${docstring(sentences(name), '  ')}\n  ${name}?: ${typeOf(entry)};`;
    })
    .join('\n');
}

/** @param {SectionName} name */
function sectionProperty(name) {
  return `${docstring([SECTIONS[name].text], '  ')}\n  ${name}?: ${SECTIONS[name].type};`;
}

/** @param {OptionEntry} entry */
function typeOf(entry) {
  if (entry.kind === 'integer') return 'number';
  if (entry.kind === 'choice') return entry.values.map((value) => `'${value}'`).join(' | ');
  return entry.kind === 'other' ? entry.type : 'boolean';
}

/** @param {OptionName} name */
function sentences(name) {
  const entry = entryOf(name);
  const { text, details } = entry;
  const range = entry.kind === 'integer' ? [`Range: ${grouped(entry.lowest)} to ${grouped(entry.highest)}.`] : [];
  const standard = defaultOf(entry).replace(/\[(.*?)\]\(.*?\)/, '$1');
  return [
    `${text[0].toUpperCase()}${text.slice(1)}.`,
    ...(details === undefined ? [] : [details]),
    ...range,
    ...(standard === '' ? [] : [`Default: ${standard}.`]),
  ];
}

/**
 * @param {readonly string[]} texts
 * @param {string} indent
 */
function docstring(texts, indent) {
  const text = texts.join(' ');
  if (`${indent}/** ${text} */`.length <= WIDTH) return `${indent}/** ${text} */`;
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = lines[lines.length - 1] === '' ? word : `${lines[lines.length - 1]} ${word}`;
    if (`${indent} * ${longer}`.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`].join('\n');
}

/** @param {number} number */
function grouped(number) {
  return number.toLocaleString('en');
}

/**
 * The default in words, or nothing if there is none.
 * @param {OptionEntry} entry
 */
function defaultOf(entry) {
  if (entry.defaultText !== undefined) return entry.defaultText;
  const value = entry.default;
  if (value === undefined) return '';
  if (typeof value !== 'number') return `\`${value}\``;
  return value >= MIB && value % MIB === 0 ? `${value / MIB} MiB` : grouped(value);
}

/**
 * README.md with its tables of options replaced.
 * @param {string} readme
 */
export function readmeText(readme) {
  const tables = [
    table(undefined),
    ...SECTION_NAMES.map((name) => `\`${name}\`: ${lowered(SECTIONS[name].text)}\n\n${table(name)}`),
  ];
  const [before, after] = [readme.split('<!-- options -->\n')[0], readme.split('<!-- /options -->')[1]];
  if (after === undefined) throw new Error('README.md has no <!-- options --> … <!-- /options -->');
  return `${before}<!-- options -->\n${tables.join('\n\n')}\n<!-- /options -->${after}`;
}

const PAGE_HEAD = `<!-- Generated from src/options/table.ts by \`npm run generate\`: edit the table. -->
# Options of \`serve()\` and \`loopshard serve\`

\`\`\`js
await serve(new URL('./app.js', import.meta.url), {
  port: 8000,
  shards: 4,
  limits: { maxBodyBytes: 5 * 2 ** 20 },
  timeouts: { handlerTimeoutMs: 10_000 },
});
\`\`\`

The options that most servers need stand at the top level; the others are in groups. Flags of the command line have no groups:
\`--max-body-bytes 5242880\`. \`loopshard serve --help\` shows those of the top level, \`--help-all\` shows all.

An unknown option, an option in the wrong group and a value out of range are errors (\`OPTION_UNKNOWN\`, \`OPTION_INVALID\`) that say
what to write instead.`;

/** The text of docs/options.md. */
export function pageText() {
  const sections = SECTION_NAMES.map((name) => `## \`${name}\`\n\n${SECTIONS[name].text}\n\n${descriptions(name)}`);
  return `${[PAGE_HEAD, `## Top level\n\n${descriptions(undefined)}`, ...sections].join('\n\n')}\n`;
}

/** @param {SectionName | undefined} section */
function descriptions(section) {
  return namesIn(section)
    .map((name) => {
      const flags = flagsOf(name).map(({ flag }) => `\`${flag}\``);
      const usage = [`\`${typeOf(entryOf(name))}\``, ...flags].join(' · ');
      return `### \`${pathOf(name)}\`\n\n${usage}\n\n${sentences(name).join(' ')}`;
    })
    .join('\n\n');
}

/** @param {string} text */
function lowered(text) {
  return /^[A-Z][a-z]/.test(text) ? `${text[0].toLowerCase()}${text.slice(1)}` : text;
}

/** @param {SectionName | undefined} section */
function table(section) {
  const rows = namesIn(section).map((name) => {
    const flags = flagsOf(name).map(({ flag }) => `\`${flag.split(' ')[0]}\``);
    const entry = entryOf(name);
    return `| ${[`\`${name}\``, flags.join(', '), defaultOf(entry), entry.text.replaceAll('|', '\\|')].join(' | ')} |`;
  });
  return ['| option | command line | default | |', '|---|---|---|---|', ...rows].join('\n');
}

/** @param {string} path from the root of the repository */
const file = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(file('src/options/serve-options.ts'), typesText());
  await writeFile(file('docs/options.md'), pageText());
  await writeFile(file('README.md'), readmeText(await readFile(file('README.md'), 'utf8')));
}
