// `npm run test:meta -- --only astro`
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { answer, asksOf, closeConnections, differences, end, faultsOf } from './asks.js';
import { FRAMEWORKS } from './frameworks.js';
import { Project } from './project.js';

/** @typedef {import('./frameworks.js').Framework} Framework */

const { only, folder } = new Command('test:meta')
  .description(
    'Installs and builds an app of each meta-framework, and compares its responses on shards with those on node:http.',
  )
  .option('--only <list>', 'frameworks', FRAMEWORKS.map(({ id }) => id).join(','))
  .option('--folder <path>', 'where to install the apps, and keep them; installed apps are used again')
  .parse()
  .opts();

/** @param {string} version */
const parts = (version) => version.split('.').map(Number);

/** @param {string} version whether the running Node.js is at least as new */
function supports(version) {
  const [wanted, own] = [parts(version), parts(process.versions.node)];
  const at = own.findIndex((part, i) => part !== wanted[i]);
  return at < 0 || own[at] > wanted[at];
}

/**
 * @param {Framework} framework
 * @param {string} parent
 * @returns {Promise<number>} how many faults there are
 */
async function check(framework, parent) {
  const release = framework.releases.find(({ node }) => supports(node));
  if (release === undefined) throw new Error(`No release of ${framework.title} runs on Node.js ${process.version}.`);
  const { packages } = release;
  const [[name, version]] = Object.entries(packages);
  const project = new Project(join(parent, `${framework.id}-${version}`));
  await project.prepare(framework, packages);
  let faults = 0;
  for (const module of framework.served) {
    const result = await compare(project, framework, module);
    for (const text of result.faults) console.log(`  ${text.replaceAll('\n', '\n    ')}`);
    const said = result.faults.length === 0 ? 'the same' : `${result.faults.length} DIFFER`;
    console.log(`${framework.title}: ${name} ${version}, ${module}: ${result.count} responses, ${said}`);
    faults += result.faults.length;
  }
  return faults;
}

/**
 * @param {Project} project
 * @param {Framework} framework
 * @param {string} module
 */
async function compare(project, { onNode, expected }, module) {
  const [node, shards] = await Promise.all([project.node(onNode), project.shards(module)]);
  const page = async (/** @type {string} */ path) => (await answer(node.address, { path })).body.toString();
  const asks = asksOf(expected, await page('/'), await page('/form'));
  /** @type {string[]} */
  const faults = [];
  for (const ask of asks) {
    const theirs = await answer(node.address, ask);
    // Several at the same time, so that both shards respond.
    const all = ask.isGated
      ? [await answer(shards.address, ask)]
      : await Promise.all([1, 2, 3].map(() => answer(shards.address, ask)));
    for (const text of faultsOf(ask, theirs)) faults.push(`${ask.name}: on node:http: ${text}`);
    const found = new Set(all.flatMap((ours) => [...faultsOf(ask, ours), ...differences(theirs, ours)]));
    if (found.size > 0) faults.push(`${ask.name}: ${[...found].join('; ')}`);
  }
  closeConnections();
  await Promise.all([node.stop(), shards.stop()]);
  return { faults, count: asks.length };
}

const parent = folder ?? (await mkdtemp(join(tmpdir(), 'loopshard-meta-')));
let faults = 0;
try {
  for (const framework of FRAMEWORKS.filter(({ id }) => only.split(',').includes(id))) {
    faults += await check(framework, parent);
  }
} finally {
  end();
  if (folder === undefined) await rm(parent, { recursive: true, force: true });
}
if (faults > 0) process.exitCode = 1;
