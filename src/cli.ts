#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LoopShardError } from './errors.js';
import type { ServeOptions } from './options/options.js';
import { integerRange, type RangeOption } from './options/resolve.js';
import { DISPATCH_NAMES, type KeySource } from './options/scheduling.js';
import { serve } from './server/serve.js';
import type { Server } from './server/server.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** What commander makes of the command line. */
interface CliOptions extends ServeOptions {
  dispatchKey?: KeySource;
  tlsKey?: string;
  tlsCert?: string;
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
  // Not commander's default here either: a host contradicts a path.
  .addOption(new Option('--host <address>', 'address to bind (default: 127.0.0.1)'))
  .addOption(new Option('--path <file>', 'Unix socket to listen on, in place of --host and --port'))
  .addOption(
    new Option('--fd <number>', 'inherited descriptor that listens already, in place of --host and --port').argParser(
      parseInteger,
    ),
  )
  .addOption(new Option('--tls-key <file>', 'private key in PEM format; has the server speak TLS'))
  .addOption(new Option('--tls-cert <file>', 'certificate chain in PEM format; SIGHUP has key and chain read again'))
  .addOption(
    new Option(
      '--http-threads <number>',
      'threads that listen, parse and answer, 1 to 64 (default: by cores)',
    ).argParser(parseInteger),
  )
  .addOption(new Option('--http-module <file>', 'module with the functions that run on HTTP threads'))
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
  .addOption(
    integerOption('--extent-bytes <number>', 'extentBytes', 'shared memory for messages that are larger than a slot'),
  )
  .addOption(integerOption('--body-limit-bytes <number>', 'bodyLimitBytes', 'request body, at the most'))
  .addOption(integerOption('--response-limit-bytes <number>', 'responseLimitBytes', 'response body, at the most'))
  .addOption(integerOption('--max-target-bytes <number>', 'maxTargetBytes', 'request target, at the most'))
  .addOption(integerOption('--max-head-bytes <number>', 'maxHeadBytes', 'target and fields together, at the most'))
  .addOption(integerOption('--max-header-fields <number>', 'maxHeaderFields', 'fields of a request, at the most'))
  .addOption(integerOption('--headers-timeout-ms <number>', 'headersTimeoutMs', "time for a request's head"))
  .addOption(integerOption('--request-timeout-ms <number>', 'requestTimeoutMs', 'time for a whole request to come'))
  .addOption(integerOption('--keep-alive-timeout-ms <number>', 'keepAliveTimeoutMs', 'time a connection may be idle'))
  .addOption(
    integerOption('--send-timeout-ms <number>', 'sendTimeoutMs', 'time a client may take nothing of its answer'),
  )
  .addOption(
    integerOption('--linger-timeout-ms <number>', 'lingerTimeoutMs', 'time to drop what comes behind the last answer'),
  )
  .addOption(new Option('--abort-on-half-close', 'abort req.signal when a client ends its side of the connection'))
  .addOption(integerOption('--max-connections <number>', 'maxConnections', 'connections, at the most'))
  .addOption(
    integerOption(
      '--max-requests-per-connection <number>',
      'maxRequestsPerConnection',
      'requests on one connection, at the most; 0 for any number',
    ),
  )
  .addOption(
    integerOption('--max-buffered-bytes <number>', 'maxBufferedBytes', 'bytes that may wait for a slow client'),
  )
  .addOption(new Option('--access-log', 'log a line for each answer'))
  .addOption(
    integerOption('--drain-delay-ms <number>', 'drainDelayMs', 'time for which readyz says 503 before the end begins'),
  )
  .addOption(integerOption('--close-timeout-ms <number>', 'closeTimeoutMs', 'time for requests in hand at the end'))
  .addOption(
    integerOption('--start-timeout-ms <number>', 'startTimeoutMs', 'time for a shard to load the module; 0 for any'),
  )
  .addOption(
    integerOption('--stuck-after-ms <number>', 'stuckAfterMs', "time a shard's event loop may not turn; 0 for any"),
  )
  .addOption(
    integerOption('--max-restarts <number>', 'maxRestarts', 'restarts of a shard within 10 s; 0 for any number'),
  )
  .addOption(
    integerOption(
      '--max-abandoned <number>',
      'maxAbandoned',
      'handlers of a shard that may run on after their 504; 0 for any number',
    ),
  )
  .addOption(
    integerOption(
      '--stalled-after-ms <number>',
      'stalledAfterMs',
      'time for which all permits of a group may be taken and nothing settle; 0 for any',
    ),
  )
  .addOption(
    new Option('--on-uncaught <what>', 'what an exception does that nobody caught (default: replace)').choices([
      'replace',
      'exit',
      'continue',
    ]),
  )
  .addOption(
    new Option('--resource-limits <list>', 'V8 limits of each shard, as in maxOldGenerationSizeMb=256').argParser(
      parseLimits,
    ),
  )
  .addOption(
    new Option('--env <name=value>', 'environment variable of the shards, beside those of the process').argParser(
      parseVariable,
    ),
  )
  .addOption(
    new Option('--exec-argv <flag>', "flag of Node.js for the shards, in place of the process's").argParser(
      (flag: string, flags: string[] = []) => [...flags, flag],
    ),
  )
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

/** As in maxOldGenerationSizeMb=256,stackSizeMb=8. */
function parseLimits(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name, megabytes] = part.split('=');
      if (megabytes === undefined)
        throw new InvalidArgumentError('It must be a list such as maxOldGenerationSizeMb=256.');
      return [name, parseInteger(megabytes)];
    }),
  );
}

/** Shards have the variables of the process, and those that are given. */
function parseVariable(text: string, env: Record<string, string> = { ...process.env } as Record<string, string>) {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be a name and a value such as LOG_LEVEL=debug.');
  return { ...env, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** What serve() checks further. */
function parseKey(text: string): KeySource {
  const colon = text.indexOf(':');
  if (colon < 0) throw new InvalidArgumentError('It must be a source and a name such as header:x-user.');
  return { [text.slice(0, colon)]: text.slice(colon + 1) } as KeySource;
}

async function run(module: string, options: CliOptions): Promise<void> {
  // Before anything else: as process 1 of a container, a signal without a listener is ignored, and the start may take long.
  const onRunning = handleSignals(options);
  try {
    const server = await serve(module, serveOptions(options));
    onRunning(server);
    announce(server, options);
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    console.error(`loopshard: ${error.message} (${error.code})`);
    process.exit(1);
  }
}

/** @throws LoopShardError OPTION_INVALID, TLS_INVALID */
function serveOptions({ dispatchKey, tlsKey, tlsCert, ...rest }: CliOptions): ServeOptions {
  return {
    ...rest,
    ...(dispatchKey !== undefined && { dispatch: { key: dispatchKey } }),
    ...((tlsKey !== undefined || tlsCert !== undefined) && { tls: readCertificate({ tlsKey, tlsCert }) }),
  };
}

type CertificateFiles = { [name in 'tlsKey' | 'tlsCert']?: string | undefined };

/** @throws LoopShardError OPTION_INVALID, TLS_INVALID */
function readCertificate({ tlsKey, tlsCert }: CertificateFiles): { key: Buffer; cert: Buffer } {
  if (tlsKey === undefined || tlsCert === undefined) {
    throw new LoopShardError('OPTION_INVALID', '--tls-key and --tls-cert belong together; give both of them.');
  }
  try {
    return { key: readFileSync(tlsKey), cert: readFileSync(tlsCert) };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new LoopShardError('TLS_INVALID', `A file of --tls-key and --tls-cert cannot be read: ${reason}.`, { cause });
  }
}

function announce(server: Server, { batch = integerRange('batch')[2], tlsKey }: CliOptions): void {
  const { address, family, port } = server.address();
  const scheme = tlsKey === undefined ? 'http' : 'https';
  const url = `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  const { shards, httpThreads } = server.stats();
  const { limit } = shards[0].permits;
  const place = family === 'Unix' ? address : url;
  const threads = httpThreads === 1 ? '' : `HTTP threads: ${httpThreads}, `;
  console.log(
    `loopshard ${version} listens on ${place}; ${threads}shards: ${shards.length}, permits: ${limit}, batch: ${batch}`,
  );
}

/**
 * The first SIGINT or SIGTERM ends the start, or drains the server; the next one ends the process at once.
 * @returns to be called with the server once it runs
 */
function handleSignals(files: CertificateFiles): (server: Server) => void {
  let running: Server | undefined;
  let mustReload = false;
  const reload = () => {
    if (running === undefined) mustReload = true;
    else reloadCertificate(running, files);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(signal, running));
  if (files.tlsKey !== undefined) process.on('SIGHUP', reload);
  return (server) => {
    running = server;
    if (mustReload) reload();
  };
}

async function end(signal: 'SIGINT' | 'SIGTERM', server: Server | undefined): Promise<void> {
  if (server === undefined) {
    console.error(`loopshard: ${signal} before the server was ready`);
    // What a shell says of a process that was ended by this signal.
    process.exit(128 + constants.signals[signal]);
  }
  if (server.state !== 'ready') process.exit(1);
  console.log(`loopshard: ${signal}, draining; once more ends at once`);
  await server.close();
  // An exit waits for threads, and one in native code may take for ever.
  const left = server.stats().shards.filter(({ state }) => state !== 'ended');
  if (left.length > 0) {
    const numbers = left.map(({ shard }) => shard).join(', ');
    console.error(`loopshard: still in native code that cannot be ended: shard ${numbers}; the process is killed`);
    process.kill(process.pid, 'SIGKILL');
  }
  process.exit(0);
}

/** Files that are of no use leave things as they are. */
function reloadCertificate(server: Server, files: CertificateFiles): void {
  try {
    server.setSecureContext(readCertificate(files));
    console.log('loopshard: SIGHUP, new connections use the certificate that was read');
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    console.error(`loopshard: ${error.message} (${error.code})`);
  }
}
