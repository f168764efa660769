/*
 * npm run bench:json: compares the compiled writer with JSON.stringify, fast-json-stringify and safe-stable-stringify, all writing to
 * shared memory. Outputs are compared before anything is timed.
 *
 * NODES=/path/to/node:/path/to/another repeats the run on other versions of Node.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import fastJson from 'fast-json-stringify';
import { CoreMemory } from 'loopshard/core';
import { compileWriter } from 'loopshard/json';
import { configure } from 'safe-stable-stringify';
import { Bench } from 'tinybench';
import { cases } from './cases.js';

const BYTES = 1 << 20;
const TIME_MS = Number(process.env.BENCH_TIME_MS ?? 250);
/** Rounds of each writer, in a different order each time, so that other load of the machine affects all of them. */
const ROUNDS = 8;
/** Calls per timed sample, because reading the clock costs as much as a small object. */
const CALLS = 64;
/** Targets by group and major version of Node.js. */
/** @type {Record<string, (major: number) => number>} */
const GOALS = {
  small: () => 2,
  numbers: (major) => (major >= 25 ? 1.5 : 3),
  rows: (major) => (major >= 25 ? 1 : 1.5),
  text: () => 1,
  documents: () => 1,
};

const core = CoreMemory.create(4 * BYTES);
const start = core.allocate(BYTES);
const limit = start + BYTES;
const buffer = /** @type {import('../../build/src/json/tape.js').FastBuffer} */ (core.bytes);
/**
 * Node's fastest way to write a string to a buffer.
 * @param {string | undefined} text
 */
const put = (text) => start + buffer.utf8Write(/** @type {string} */ (text), start, BYTES);
const safe = configure({ deterministic: false });

/**
 * @param {import('./cases.js').Case} entry
 * @returns {Record<string, (value: any) => number>}
 */
function contenders({ schema, others = (/** @type {any} */ value) => value }) {
  const writer = compileWriter(schema);
  const fast = fastJson(schema);
  return {
    loopshard: (value) => writer.write(core, start, limit, value),
    'JSON.stringify': (value) => put(JSON.stringify(others(value))),
    'fast-json-stringify': (value) => put(fast(others(value))),
    'safe-stable-stringify': (value) => put(safe(others(value))),
  };
}

/** @type {(name: string, functions: Record<string, (value: any) => number>, values: any[]) => void} */
function compareOutputs(name, functions, values) {
  for (const value of values) {
    const outputs = Object.entries(functions).map(([who, write]) => [
      who,
      core.bytes.toString('utf8', start, write(value)),
    ]);
    for (const [who, output] of outputs) {
      if (output !== outputs[1][1])
        throw new Error(`${name}: the output of ${who} differs from that of JSON.stringify.`);
    }
  }
}

/** @param {import('./cases.js').Case} entry */
async function measure(entry) {
  const functions = contenders(entry);
  compareOutputs(entry.name, functions, entry.values);
  const turns = Object.entries(functions).map(([who, write]) => ({
    who,
    /** @type {number[]} */
    samples: [],
    run: () => {
      for (let i = 0; i < CALLS; i++) write(entry.values[i]);
    },
  }));
  for (let round = 0; round < ROUNDS; round++) {
    const warmupTime = round === 0 ? TIME_MS / 2 : TIME_MS / 50;
    const least = { iterations: 64 / ROUNDS, warmupIterations: 2 };
    const bench = new Bench({ time: TIME_MS / ROUNDS, warmupTime, ...least, retainSamples: true });
    for (const i of turns.keys()) {
      const { who, run } = turns[(round + i) % turns.length];
      bench.add(who, run);
    }
    await bench.run();
    for (const { name, result } of bench.tasks) {
      if (result.state !== 'completed') throw new Error(`${entry.name}: ${name} did not finish.`);
      turns.find(({ who }) => who === name)?.samples.push(...(result.latency.samples ?? []));
    }
  }
  return turns.map(({ samples }) => (median(samples) * 1e6) / CALLS);
}

/** @param {number[]} samples */
const median = (samples) => samples.sort((a, b) => a - b)[samples.length >> 1];

/** @param {number} value */
const nanoseconds = (value) => (value < 10_000 ? `${value.toFixed(0)} ns` : `${(value / 1000).toFixed(1)} µs`);

async function run() {
  const major = Number(process.versions.node.split('.')[0]);
  console.log(
    `\nNode ${process.version}, V8 ${process.versions.v8}: medians per value, ${cases[0].values.length} values in rotation\n`,
  );
  console.log(
    '| case | loopshard | JSON.stringify | fast-json-stringify | safe-stable-stringify | vs. the best | goal |',
  );
  console.log('|---|---|---|---|---|---|---|');
  for (const [i, entry] of cases.entries()) {
    process.stderr.write(`\r${i + 1}/${cases.length} ${entry.name.padEnd(30)}`);
    const medians = await measure(entry);
    const ratio = Math.min(...medians.slice(1)) / medians[0];
    const goal = GOALS[entry.group](major);
    process.stderr.write('\r\x1b[K');
    console.log(
      `| ${entry.name} | ${medians.map(nanoseconds).join(' | ')} | ${ratio.toFixed(2)} × | ${ratio >= goal ? '' : 'missed: '}${goal} × |`,
    );
  }
}

if (process.env.NODES && !process.env.BENCH_CHILD) {
  for (const node of [process.execPath, ...process.env.NODES.split(':')]) {
    const env = { ...process.env, BENCH_CHILD: '1' };
    const { status } = spawnSync(node, [fileURLToPath(import.meta.url)], { stdio: 'inherit', env });
    if (status !== 0) process.exitCode = 1;
  }
} else {
  await run();
}
