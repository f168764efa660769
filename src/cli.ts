#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LoopShardError } from './errors.js';
import type { ServeOptions } from './options/options.js';
import { integerRange, type RangeOption } from './options/resolve.js';
import { DISPATCH_NAMES, type KeySource } from './options/scheduling.js';
import { serve } from './serve.js';
import type { Server } from './server.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** What commander makes of the command line. */
interface CliOptions extends ServeOptions {
  dispatchKey?: KeySource;
}

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
  .addOption(
    new Option('--groups <list>', 'in place of --shards: shards by group, as in default=2,cpu=2').argParser(
      parseGroups,
    ),
  )
  .addOption(
    integerOption('--permits <number>', 'permits', 'handlers in flight on each shard, or adaptive').argParser((text) =>
      text === 'adaptive' ? text : parseInteger(text),
    ),
  )
  .addOption(integerOption('--batch <number>', 'batch', 'requests a shard claims at once, at the most'))
  .addOption(
    new Option('--dispatch <policy>', "how a request's shard is chosen (default: least-loaded)").choices([
      ...DISPATCH_NAMES,
    ]),
  )
  .addOption(
    new Option('--dispatch-key <source:name>', 'in place of --dispatch: by a key, as in header:x-user or cookie:id')
      .argParser(parseKey)
      .conflicts('dispatch'),
  )
  .addOption(new Option('--no-steal', 'shards without work leave alone what waits for others'))
  .addOption(integerOption('--max-queue <number>', 'maxQueue', 'requests that wait for each shard, at the most'))
  .addOption(new Option('--shed', 'refuse requests while others wait for too long'))
  .addOption(integerOption('--queue-timeout-ms <number>', 'queueTimeoutMs', 'time a request may wait; 0 for any'))
  .addOption(integerOption('--handler-timeout-ms <number>', 'handlerTimeoutMs', 'time a handler may take; 0 for any'))
  .addOption(new Option('--health', 'answer /livez and /readyz'))
  .addOption(new Option('--compress', 'compress responses of handlers'))
  .addOption(new Option('--request-id', 'name requests by their x-request-id, or by a UUID'))
  .addOption(integerOption('--shard-nice <number>', 'shardNice', 'how much shards give way to other threads; Linux'))
  .addOption(integerOption('--slots <number>', 'slots', 'requests in hand, at the most'))
  .addOption(integerOption('--slot-bytes <number>', 'slotBytes', 'shared memory for each slot'))
  .addOption(integerOption('--body-limit-bytes <number>', 'bodyLimitBytes', 'request body, at the most'))
  .addOption(integerOption('--response-limit-bytes <number>', 'responseLimitBytes', 'response body, at the most'))
  .addOption(
    integerOption('--drain-delay-ms <number>', 'drainDelayMs', 'time for which readyz says 503 before the end begins'),
  )
  .addOption(integerOption('--close-timeout-ms <number>', 'closeTimeoutMs', 'time for requests in hand at the end'))
  .addHelpText('after', '\nExample:\n  $ loopshard serve app.js --port 8000 --shards 4')
  .action(run);

await program.parseAsync();

/** An option that is checked where every caller's options are checked: by serve(). */
function integerOption(flags: string, name: RangeOption, description: string): Option {
  const [lowest, highest, standard] = integerRange(name);
  // Not commander's default, so that serve() knows what was given.
  return new Option(flags, `${description}, ${lowest} to ${highest} (default: ${standard})`).argParser(parseInteger);
}

function parseInteger(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be an integer.');
}

function parseGroups(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name, count] = part.split('=');
      if (count === undefined) throw new InvalidArgumentError('It must be a list such as default=2,cpu=2.');
      return [name, parseInteger(count)];
    }),
  );
}

/** What serve() checks further. */
function parseKey(text: string): KeySource {
  const colon = text.indexOf(':');
  if (colon < 0) throw new InvalidArgumentError('It must be a source and a name such as header:x-user.');
  return { [text.slice(0, colon)]: text.slice(colon + 1) } as KeySource;
}

async function run(module: string, options: CliOptions): Promise<void> {
  const { dispatchKey, ...rest } = options;
  let server: Server;
  try {
    server = await serve(module, dispatchKey === undefined ? rest : { ...rest, dispatch: { key: dispatchKey } });
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    console.error(`loopshard: ${error.message} (${error.code})`);
    process.exitCode = 1;
    return;
  }
  announce(server, options);
  closeOnSignals(server);
}

function announce(server: Server, { batch = integerRange('batch')[2] }: ServeOptions): void {
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
