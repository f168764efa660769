/* Gets the sources of a suite and installs what it needs, outside of this repository. */
import { spawn } from 'node:child_process';
import { cpSync, createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** @typedef {import('./suites.js').Suite} Suite */

/** Dependencies of the suites are installed as of this day, so that a later release of one does not change the results. */
const DEPENDENCIES_AS_OF = '2026-09-01';
export const INSTALL = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps'];
/** Written when a folder is complete. */
const MARKER = '.complete';

/** Says what is wrong with what the user gave, without a stack. */
export class CompatError extends Error {}

/**
 * Returns a folder with the suite, ready to run.
 * @param {Suite} suite
 * @param {string} work folder for all suites; what it holds already is used again
 * @param {string | undefined} given path of the sources or of their git repository. Default: downloads them from GitHub.
 */
export async function obtain(suite, work, given) {
  const folder = join(work, `${suite.id}-${suite.version}`);
  if (existsSync(join(folder, MARKER))) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await unpack(suite, folder, given);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (version !== suite.version) {
    throw new CompatError(`The sources of ${suite.id} have version ${version}, expected ${suite.version}.`);
  }
  await run('npm', [...INSTALL, `--before=${DEPENDENCIES_AS_OF}`], folder);
  for (const [command, ...args] of suite.prepare ?? []) await run(command, args, folder);
  writeFileSync(join(folder, MARKER), '');
  return folder;
}

/** @param {Suite} suite @param {string} folder @param {string | undefined} given */
async function unpack({ id, repository, tag }, folder, given) {
  if (given === undefined) {
    const archive = join(folder, 'source.tar.gz');
    await download(`https://codeload.github.com/${repository}/tar.gz/refs/tags/${tag}`, archive, id);
    await run('tar', ['xzf', archive, '--strip-components=1'], folder);
    rmSync(archive);
  } else if (existsSync(join(given, 'package.json'))) {
    const skipped = [join(given, 'node_modules'), join(given, '.git')];
    cpSync(given, folder, { recursive: true, filter: (path) => !skipped.includes(path) });
  } else {
    const archive = join(folder, 'source.tar');
    await run('git', ['-C', given, 'archive', '--output', archive, tag], folder);
    await run('tar', ['xf', archive], folder);
    rmSync(archive);
  }
}

/** @param {string} url @param {string} file @param {string} id */
async function download(url, file, id) {
  const advice = `Use --source ${id}=PATH for sources that are on this machine.`;
  const response = await fetch(url).catch((error) => {
    throw new CompatError(`Cannot download ${url}: ${error.cause?.message ?? error.message}. ${advice}`);
  });
  if (!response.ok) throw new CompatError(`Cannot download ${url}: status ${response.status}. ${advice}`);
  await pipeline(Readable.fromWeb(/** @type {any} */ (response.body)), createWriteStream(file));
}

/** @param {string} command @param {readonly string[]} args @param {string} cwd @returns {Promise<void>} */
function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new CompatError(`\`${command} ${args.join(' ')}\` failed with ${code}:\n${output.slice(-2_000)}`));
    });
  });
}
