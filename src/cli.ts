#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { relative } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LoopShardError } from './errors.js';
import type { FlatOptions } from './options/flat-options.js';
import { logLevelOf } from './options/logger.js';
import { METHODS } from './options/methods.js';
import type { KeySource, ShardRange } from './options/scheduling.js';
import { nest } from './options/sections.js';
import type { ServeOptions } from './options/serve-options.js';
import {
  entryOf,
  type Flag,
  flagsOf,
  OPTION_NAMES,
  type OptionEntry,
  type OptionName,
  SECTIONS,
} from './options/table.js';
import type { TrustProxy } from './options/trust-proxy.js';
import { serve } from './server/serve.js';
import type { Server } from './server/server.js';
import type { GroupStats } from './server/stats.js';
import type { TopOptions } from './top/top.js';

/** The default port of Node.js's inspector. */
const INSPECT_PORT = 9229;
const METHODS_WIDTH = 7;
/** The routes as they were printed last. */
let shownRoutes = '';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** The options that commander parses from the command line: flat, plus flags that share an option. */
interface CliOptions extends FlatOptions, CertificateFiles, AdminFlags {
  dispatchKey?: KeySource;
}

interface AdminFlags {
  adminPort?: number | undefined;
  adminHost?: string | undefined;
  agentPort?: number | undefined;
}

type CertificateFiles = { [name in 'tlsKey' | 'tlsCert']?: string | undefined };

/** Parsers by flag, for values that are neither integers nor text. */
const PARSERS: Record<string, (text: string, previous: never) => unknown> = {
  '--fd': parseInteger,
  '--admin-port': parseInteger,
  '--agent-port': parseInteger,
  '--permits': (text) => (text === 'adaptive' ? text : parseInteger(text)),
  '--shard-nice': (text) => (text.includes('=') ? parseCounts(text, 'cpu=19') : parseInteger(text)),
  '--shards': parseShards,
  '--groups': (text) => parseList(text, 'default=2,cpu=2', parseShards),
  '--resource-limits': (text) => parseCounts(text, 'maxOldGenerationSizeMb=256'),
  '--dispatch-key': parseKey,
  '--trust-proxy': parseProxies,
  '--env': parseVariable,
  '--exec-argv': (flag, flags: readonly string[] = []) => [...flags, flag],
  '--preload': (module, modules: readonly string[] = []) => [...modules, module],
};

/** Options that only `--help-all` shows. Hidden just before the help is printed, because commander suggests no hidden option for a typo. */
const rareOptions: Option[] = [];
let isHelpAll = false;

const program = new Command('loopshard')
  .description('Serve HTTP from many event loops behind one port.')
  .version(version)
  .showHelpAfterError("Run 'loopshard serve --help' to see the usage.")
  .argument('[module]')
  .allowUnknownOption()
  .allowExcessArguments()
  .configureHelp({ visibleArguments: () => [] })
  .usage('[options] [command]')
  .action(refuseModule);

command('serve', 'Serve the app that <module> exports by default, until SIGINT or SIGTERM.')
  .addHelpText('after', '\nExample: loopshard serve app.js --port 8000 --shards 4')
  .action(run);

command('dev', 'Serve an app while you develop it: changes of its modules reload it.')
  .option('--inspect [port]', 'port for a debugger of shard 0 (9229)', parseInteger)
  .addHelpText('after', '\nExample: loopshard dev app.ts --port 8000')
  .action(develop);

program
  .command('top')
  .description('Show a running server: shards, routes and events, live, until q or Ctrl-C.')
  .argument('[address]', 'of its admin listener, a port or a URL', '9000')
  .allowExcessArguments(false)
  .option('--once', 'print one snapshot; the default if the output is no terminal')
  .addHelpText('after', '\nExample: loopshard top http://127.0.0.1:9000')
  .action(watch);

await program.parseAsync();

/** Adds a command that takes a module and the options of `serve()`. */
function command(name: string, description: string): Command {
  const added = program
    .command(name)
    .description(description)
    .usage('[options] <module>')
    .argument('<module>')
    // The program takes excess arguments, to say how to serve a module, and its commands inherit that.
    .allowExcessArguments(false)
    // The longest flags leave 38 of 80 columns.
    .configureHelp({ visibleArguments: () => [], minWidthToWrap: 30 })
    .option('--help-all', 'show every option')
    .on('option:help-all', () => helpAll(added))
    .on('beforeHelp', hideRareOptions);
  for (const option of OPTION_NAMES) for (const flag of flagsOf(option)) added.addOption(cliOption(option, flag));
  return added;
}

/** A flag whose value is only parsed here: serve() checks it, as it does for every caller. */
function cliOption(name: OptionName, { flag, text, isRare }: Flag): Option {
  const entry = entryOf(name);
  const option = new Option(flag, text ?? plain(entry.text) + defaultText(entry));
  option.helpGroup(entry.section === undefined ? 'Options:' : `${entry.section}: ${SECTIONS[entry.section].text}`);
  if (entry.section !== undefined || entry.isRare === true || isRare === true) rareOptions.push(option);
  const parser = PARSERS[option.long!] ?? (entry.kind === 'integer' ? parseInteger : undefined);
  return parser === undefined ? option : option.argParser(parser as (text: string, previous: unknown) => unknown);
}

/** The default as text. Commander is not told about it, so that `serve()` sees only options that were given. */
function defaultText(entry: OptionEntry): string {
  const text = entry.defaultText ?? entry.default;
  return text === undefined || typeof text === 'boolean' ? '' : ` (default: ${plain(String(text))})`;
}

/** Removes Markdown. */
function plain(text: string): string {
  return text.replaceAll(/`|\[(.*?)\]\(.*?\)/g, '$1');
}

function helpAll(of: Command): never {
  isHelpAll = true;
  return of.help();
}

function hideRareOptions(): void {
  for (const option of rareOptions) option.hideHelp(!isHelpAll);
}

/** Reports an unknown command, as in `loopshard app.js`. */
function refuseModule(module: string | undefined): void {
  if (module === undefined) return program.help({ error: true });
  if (module.startsWith('-')) program.error(`error: unknown option '${module}'`);
  program.error(`error: unknown command '${module}'. To serve a module, run 'loopshard serve ${module}'.`);
}

function parseInteger(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be an integer.');
}

/** Parses a number of shards, or a range such as `2-8`. */
function parseShards(text: string): number | ShardRange {
  const range = /^(\d+)-(\d+)$/.exec(text);
  if (range !== null) return { min: Number(range[1]), max: Number(range[2]) };
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be an integer, or a range such as 2-8.');
}

/** Parses a list such as `default=2,cpu=2`. */
function parseList<Of>(text: string, example: string, parse: (text: string) => Of): Record<string, Of> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name, value] = part.split('=');
      if (value === undefined) throw new InvalidArgumentError(`It must be a list such as ${example}.`);
      return [name, parse(value)];
    }),
  );
}

function parseCounts(text: string, example: string): Record<string, number> {
  return parseList(text, example, parseInteger);
}

/** Adds a variable to those of this process. */
function parseVariable(text: string, env: Record<string, string> = { ...process.env } as Record<string, string>) {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be a name and a value such as LOG_LEVEL=debug.');
  return { ...env, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** Parses `true`, `false`, a number, or a list such as `loopback,10.0.0.0/8`; `serve()` checks the addresses. */
function parseProxies(text: string): TrustProxy {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

/** Parses a source such as `header:x-user`; `serve()` checks it. */
function parseKey(text: string): KeySource {
  const colon = text.indexOf(':');
  if (colon < 0) throw new InvalidArgumentError('It must be a source and a name such as header:x-user.');
  return { [text.slice(0, colon)]: text.slice(colon + 1) } as KeySource;
}

async function run(module: string, options: CliOptions): Promise<void> {
  // Before the start, which may take long: in process 1 of a container, a signal without a listener is ignored.
  const onRunning = handleSignals(options, 'reload');
  try {
    const server = await serve(module, serveOptions(options));
    onRunning(server);
    announce(server, options);
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    reportError(error);
    process.exit(1);
  }
}

/** Serves an app, and reloads it after each change. */
async function develop(
  module: string,
  { inspect, ...options }: CliOptions & { inspect?: number | true },
): Promise<void> {
  const onRunning = handleSignals(options, 'end');
  // Only this command needs what it imports.
  const { Development } = await import('./dev/develop.js');
  try {
    const development = new Development(module, serveOptions(options), inspect === true ? INSPECT_PORT : inspect, {
      onStarted: (server) => {
        onRunning(server);
        announce(server, options);
        printRoutes(server);
      },
      onReloaded: (server, file, ms) => {
        console.log(`loopshard: ${relative('', file)} has changed: reloaded in ${Math.round(ms)} ms.`);
        printRoutes(server);
      },
      onFailed: (error, isServing) => {
        reportError(error);
        console.error(
          `loopshard: ${isServing ? 'The code before the change continues to serve' : 'Waiting for a change'}.`,
        );
      },
    });
    await development.start();
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    reportError(error);
    process.exit(1);
  }
}

/** Shows a running server. */
async function watch(address: string, options: TopOptions): Promise<void> {
  // Only this command needs what it imports.
  const { top } = await import('./top/top.js');
  try {
    await top(address, options);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    reportError(error);
    process.exit(1);
  }
}

/** Prints the routes if they have changed. */
function printRoutes(server: Server): void {
  const lines = server
    .routes()
    .map(({ methods, pattern }) => `  ${methodsText(methods).padEnd(METHODS_WIDTH)} ${pattern}`);
  const text = lines.join('\n');
  if (text !== shownRoutes && text !== '') console.log(text);
  shownRoutes = text;
}

function methodsText(methods: readonly string[]): string {
  // Of `app.all()`, or an app of another framework.
  if (methods.length >= METHODS.length) return 'ALL';
  return methods.filter((method) => method !== 'HEAD' || !methods.includes('GET')).join(', ');
}

/** Prints the first line of the message with its code, and its other lines below. */
function reportError({ message, code }: LoopShardError): void {
  const [sentence, ...lines] = message.split('\n');
  console.error([`loopshard: ${sentence} (${code})`, ...lines].join('\n'));
}

/** @throws LoopShardError OPTION_INVALID, TLS_INVALID */
function serveOptions({ dispatchKey, tlsKey, tlsCert, ...given }: CliOptions): ServeOptions {
  const { adminPort, adminHost, agentPort, ...flat } = given;
  if (dispatchKey !== undefined && flat.dispatch !== undefined) {
    throw new LoopShardError('OPTION_INVALID', 'Set either --dispatch or --dispatch-key, not both.');
  }
  return nest({
    ...flat,
    ...adminOptions({ adminPort, adminHost, agentPort }),
    ...(dispatchKey !== undefined && { dispatch: { key: dispatchKey } }),
    ...((tlsKey !== undefined || tlsCert !== undefined) && { tls: readCertificate({ tlsKey, tlsCert }) }),
  });
}

/** @throws LoopShardError OPTION_INVALID */
function adminOptions({ adminPort: port, adminHost: host, agentPort }: AdminFlags): ServeOptions {
  if (port !== undefined) {
    return { admin: { port, ...(host !== undefined && { host }), ...(agentPort !== undefined && { agentPort }) } };
  }
  if (host !== undefined) {
    throw new LoopShardError('OPTION_INVALID', 'Set --admin-port as well: --admin-host only says where that port is.');
  }
  if (agentPort !== undefined) {
    throw new LoopShardError('OPTION_INVALID', 'Set --admin-port as well: the agent is part of the admin listener.');
  }
  return {};
}

/** @throws LoopShardError OPTION_INVALID, TLS_INVALID */
function readCertificate({ tlsKey, tlsCert }: CertificateFiles): { key: Buffer; cert: Buffer } {
  if (tlsKey === undefined || tlsCert === undefined) {
    throw new LoopShardError(
      'OPTION_INVALID',
      'Set both --tls-key and --tls-cert: HTTPS needs a key and its certificate.',
    );
  }
  try {
    return { key: readFileSync(tlsKey), cert: readFileSync(tlsCert) };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new LoopShardError('TLS_INVALID', `Cannot read the file of --tls-key or --tls-cert: ${reason}.`, { cause });
  }
}

/** Prints the line that tells where and how the server listens. */
function announce(server: Server, { tlsKey, shards: wanted, ...options }: CliOptions): void {
  const { address, family } = server.address();
  const url = urlOf(server.address(), tlsKey === undefined ? 'http' : 'https');
  const admin = server.adminAddress();
  const agent = server.agentAddress();
  const { groups, httpThreads, routeCount } = server.stats();
  const facts = [
    `routes: ${routeCount}`,
    wanted === 0 ? 'no shards: handlers run in this thread' : `shards: ${shardsByGroup(groups)}`,
    ...(httpThreads > 1 ? [`HTTP threads: ${httpThreads}`] : []),
    ...(admin === undefined ? [] : [`admin: ${urlOf(admin, 'http')}`]),
    ...(agent === undefined ? [] : [`agent: ${agent.address}:${agent.port}`]),
    `log: stderr, level ${logLevelOf(options)}`,
  ];
  console.log(`loopshard ${version} listens on ${family === 'Unix' ? address : url}; ${facts.join('; ')}`);
}

function urlOf({ address, family, port }: AddressInfo, scheme: string): string {
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Formats the numbers of shards as "4", "2-8", "4 (default 2, cpu 2)" or "3-9 (default 2-8, cpu 1)". */
function shardsByGroup(groups: readonly GroupStats[]): string {
  const sum = (of: 'min' | 'max') => groups.reduce((total, { [of]: count }) => total + count, 0);
  const all = rangeText(sum('min'), sum('max'));
  if (groups.length === 1) return all;
  return `${all} (${groups.map(({ group, min, max }) => `${group} ${rangeText(min, max)}`).join(', ')})`;
}

function rangeText(min: number, max: number): string {
  return min === max ? String(min) : `${min}-${max}`;
}

/**
 * Handles signals: the first SIGINT or SIGTERM ends the start, or drains the server; the next one exits immediately. SIGHUP loads the app,
 * and the certificate, again; or ends, since it is also the signal of a terminal that was closed.
 * @returns the function to call with the server once it is running
 */
function handleSignals(files: CertificateFiles, hangup: 'reload' | 'end'): (server: Server) => void {
  let running: Server | undefined;
  let mustReload = false;
  const reload = () => {
    if (running === undefined) mustReload = true;
    else void reloadAll(running, files);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(signal, running));
  process.on('SIGHUP', () => (hangup === 'reload' ? reload() : void end('SIGHUP', running)));
  return (server) => {
    running = server;
    if (mustReload) reload();
  };
}

async function end(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', server: Server | undefined): Promise<void> {
  if (server === undefined) {
    console.error(`loopshard: ${signal} before the server was ready`);
    // The exit code that a shell reports for a process that this signal ended.
    process.exit(128 + constants.signals[signal]);
  }
  if (server.state !== 'ready') process.exit(1);
  console.log(`loopshard: ${signal}: finishing open requests. ${again(signal)} to exit immediately.`);
  await server.close();
  // Exiting waits for all threads, but a thread in native code may never end.
  if (server.stats().threads > 0) {
    console.error('loopshard: A shard is in native code that cannot be stopped. Killing the process.');
    process.kill(process.pid, 'SIGKILL');
  }
  process.exit(0);
}

/** What the user does to send the signal again. */
function again(signal: string): string {
  return signal === 'SIGINT' ? 'Press Ctrl+C again' : 'Send it again';
}

/** Keeps the current certificate and the current code if the new ones are invalid. */
async function reloadAll(server: Server, files: CertificateFiles): Promise<void> {
  try {
    if (files.tlsKey !== undefined) {
      server.setSecureContext(readCertificate(files));
      console.log('loopshard: SIGHUP: reloaded the certificate for new connections.');
    }
    await server.reload();
    const { routeCount } = server.stats();
    console.log(`loopshard: SIGHUP: reloaded the app; routes: ${routeCount}`);
  } catch (error) {
    if (!(error instanceof LoopShardError)) throw error;
    reportError(error);
    console.error('loopshard: SIGHUP: the server continues with what it had loaded before.');
  }
}
