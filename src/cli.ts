#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LoopShardError } from './errors.js';
import { integerRange, type ServeOptions } from './options.js';
import { DISPATCH_POLICIES } from './pool/dispatch.js';
import { type Server, serve } from './serve.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

type IntegerName = Parameters<typeof integerRange>[0];

const program = new Command('loopshard')
  .description('Serve HTTP from many event loops behind one port.')
  .version(version)
  .showHelpAfterError('(loopshard --help tells what there is)');

program
  .command('serve')
  .description('Serve the app that <module> exports by default, until SIGINT or SIGTERM.')
  .argument('<module>', 'the module, e.g. app.js')
  .addOption(integerOption('--port <number>', 'port', 'port to listen on; 0 takes a free one'))
  .addOption(new Option('--host <address>', 'address to bind').default('127.0.0.1'))
  .addOption(integerOption('--shards <number>', 'shards', 'worker threads that run handlers'))
  .addOption(integerOption('--permits <number>', 'permits', 'handlers in flight on each shard'))
  .addOption(integerOption('--batch <number>', 'batch', 'requests a shard claims at once, at the most'))
  .addOption(
    new Option('--dispatch <policy>', "how a request's shard is chosen")
      .choices(Object.keys(DISPATCH_POLICIES))
      .default('least-loaded'),
  )
  .addOption(integerOption('--slots <number>', 'slots', 'requests in hand, at the most'))
  .addOption(integerOption('--slot-bytes <number>', 'slotBytes', 'shared memory for each slot'))
  .addOption(integerOption('--body-limit-bytes <number>', 'bodyLimitBytes', 'request body, at the most'))
  .addOption(integerOption('--response-limit-bytes <number>', 'responseLimitBytes', 'response body, at the most'))
  .addOption(integerOption('--close-timeout-ms <number>', 'closeTimeoutMs', 'time for requests in hand at the end'))
  .addHelpText('after', '\nExample:\n  $ loopshard serve app.js --port 8000 --shards 4')
  .action(run);

await program.parseAsync();

/** An option that is checked where every caller's options are checked: by serve(). */
function integerOption(flags: string, name: IntegerName, description: string): Option {
  const [lowest, highest, standard] = integerRange(name);
  return new Option(flags, `${description}, ${lowest} to ${highest}`).default(standard).argParser((text) => {
    if (/^-?\d+$/.test(text)) return Number(text);
    throw new InvalidArgumentError('It must be an integer.');
  });
}

async function run(module: string, options: ServeOptions): Promise<void> {
  let server: Server;
  try {
    server = await serve(module, options);
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    console.error(`loopshard: ${error.message} (${error.code})`);
    process.exitCode = 1;
    return;
  }
  announce(server, options);
  closeOnSignals(server);
}

function announce(server: Server, { batch }: ServeOptions): void {
  const { address, family, port } = server.address();
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  const { shards } = server.stats();
  const { limit } = shards[0].permits;
  console.log(`loopshard ${version} listens on ${url}; shards: ${shards.length}, permits: ${limit}, batch: ${batch}`);
}

/** The first signal drains, the second one ends. */
function closeOnSignals(server: Server): void {
  const close = async (signal: NodeJS.Signals) => {
    if (server.state !== 'ready') process.exit(1);
    console.log(`loopshard: ${signal}, draining; once more ends at once`);
    await server.close();
    process.exit(0);
  };
  process.on('SIGINT', close);
  process.on('SIGTERM', close);
}
