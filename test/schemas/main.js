// `npm run test:schemas -- --seed 1 --only GitHub`
import { Command } from 'commander';
import { check, MAKINGS, Tally } from './contenders.js';
import { sources } from './sources.js';
import { runSuite } from './suite.js';

const { seed, only, suite } = new Command('test:schemas')
  .description('Compiles schemas of real API descriptions, and compares the JSON that is written for generated values.')
  .option('--seed <number>', 'seed of the generated values', Number, 1)
  .option('--only <name>', 'use only sources whose names contain this', '')
  .option('--suite <folder>', 'a checkout of the JSON-Schema-Test-Suite, which is not on npm')
  .parse()
  .opts();

let faults = 0;
if (suite !== undefined) faults += await runSuite(suite);
else console.log('The JSON-Schema-Test-Suite is skipped: pass a checkout with --suite.\n');

const makings = MAKINGS.map((making) => JSON.stringify(making)).join(', ');
console.log(
  `For each schema, json-schema-faker generates ${MAKINGS.length} values (seeds from ${seed}; ${makings}). Values that ajv finds valid are written
in three ways: in each lane with \`unlisted: 'omit'\`, whose output must be the part that the schema admits, and with 'write', whose output
must be the whole value. Both must equal the output of JSON.stringify byte for byte. fast-json-stringify must also write the admitted part.
`,
);
console.log(
  '| source | schemas | compiled | rejected | without values | values | wrong | compile, ms of CPU | fast-json-stringify |',
);
console.log('|---|---|---|---|---|---|---|---|---|');
/** @type {string[]} */
const notes = [];
for (const { name, schemas, isForFast } of sources.filter((source) => source.name.includes(only))) {
  const tally = new Tally();
  for (const described of schemas()) check(tally, described, seed, isForFast);
  const { fast, refused, wrong } = tally;
  console.log(
    `| ${name} | ${tally.schemas} | ${tally.compiled} | ${refused.length} | ${tally.without} | ${tally.values} | ${wrong.length} | ${tally.compileMs.toFixed(0)} | skips ${fast.skipped}, rejects ${fast.refused} schemas, fails for ${fast.failed} values, writes ${fast.wrong} differently |`,
  );
  faults += wrong.length;
  notes.push(...refused.map((text) => `rejected: ${name}, ${text}`), ...wrong.map((text) => `WRONG: ${name}, ${text}`));
}
console.log(`\n${notes.slice(0, 200).join('\n')}`);
if (faults > 0) process.exitCode = 1;
