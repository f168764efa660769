// `npm run test:schemas -- --seed 1 --only GitHub`
import { Command } from 'commander';
import { check, MAKINGS, Tally } from './contenders.js';
import { sources } from './sources.js';
import { runSuite } from './suite.js';

const { seed, only, suite } = new Command('test:schemas')
  .description('Compiles the schemas of real descriptions, and compares what is written for values of them.')
  .option('--seed <number>', 'what the values are made from', Number, 1)
  .option('--only <name>', 'only sources whose name contains this', '')
  .option('--suite <folder>', 'a checkout of the JSON-Schema-Test-Suite, which npm does not have')
  .parse()
  .opts();

let faults = 0;
if (suite !== undefined) faults += await runSuite(suite);
else console.log('No --suite is given: the JSON-Schema-Test-Suite is skipped.\n');

const makings = MAKINGS.map((making) => JSON.stringify(making)).join(', ');
console.log(
  `For each schema, json-schema-faker makes ${MAKINGS.length} values (seeds from ${seed}; ${makings}). Those that ajv finds valid are written
in three ways: with \`unlisted: 'omit'\` by either lane, which must give what the schema admits of the value, and with 'write',
which must give all of it; byte for byte what JSON.stringify writes for that. fast-json-stringify must give what the schema admits.
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
