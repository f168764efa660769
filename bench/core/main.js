/*
 * npm run bench:core: measures the core alone, and round trips between two threads in all common ways. Results are checked before
 * anything is timed.
 *
 * NODES=/path/to/node:/path/to/another repeats the run on other versions of Node.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderTable } from '../http/table.js';
import { measureOperations } from './measure-operations.js';
import { measureTrips } from './measure-trips.js';
import { describeOperations, describeTrips, judge } from './report.js';

const HELP = `Times the core: rings, permits, slots, doorbells, writer, and round trips between two threads.

  npm run bench:core -- [options]

  --rounds N    rounds, every other one in reverse order                   (9)
  --quick       one short round, to test that it runs
  --json FILE   file for the raw results
  --help

NODES=/path/to/node:/path/to/another repeats the run on other versions of Node.`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function run() {
  const rounds = values.quick ? 1 : Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error(`--rounds must be at least 1, got ${values.rounds}.`);
  const conditions = {
    date: new Date().toISOString(),
    node: process.version,
    machine: `${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores, ${os.type()} ${os.release()} ${os.arch()}`,
    rounds,
  };
  console.log(
    Object.entries(conditions)
      .map(([name, value]) => `${name.padEnd(10)}${value}`)
      .join('\n'),
  );
  const operations = await measureOperations(rounds, values.quick);
  console.log(`\n${describeOperations(operations)}`);
  const trips = await measureTrips(rounds, values.quick);
  console.log(`\n${describeTrips(trips)}`);
  const targets = judge(trips);
  const rows = targets.map(({ what, reach, figure, verdict }) => [what, reach, figure, verdict]);
  console.log(`\n${renderTable(['round trip', 'target', 'median (lowest–highest)', ''], rows)}`);
  if (values.json) writeFileSync(values.json, JSON.stringify({ conditions, operations, trips, targets }, undefined, 2));
}

if (values.help) console.log(HELP);
else if (process.env.NODES && !process.env.BENCH_CHILD) {
  for (const node of [process.execPath, ...process.env.NODES.split(':')]) {
    const env = { ...process.env, BENCH_CHILD: '1' };
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
    const { status } = spawnSync(node, args, { stdio: 'inherit', env });
    if (status !== 0) process.exitCode = 1;
    console.log();
  }
} else {
  await run();
}
