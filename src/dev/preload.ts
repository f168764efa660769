/* Runs on each shard of `loopshard dev` before the app is loaded: reports the files that are loaded, and opens the inspector. */
import inspector from 'node:inspector';
import Module, * as modules from 'node:module';
import { createServer } from 'node:net';
import { pathToFileURL } from 'node:url';
import { workerData } from 'node:worker_threads';
import { markDevelopment } from '../contract/development.js';
import { ImportReports } from './imports.js';
import { INSPECT, TYPESCRIPT } from './names.js';

/** How often a shard checks whether the inspector's port is free: before a reload it is that of the old shard. */
const RETRY_MS = 100;

interface Hooks {
  resolve(
    specifier: string,
    context: { parentURL?: string },
    next: (specifier: string, context: object) => unknown,
  ): unknown;
  load(url: string, context: unknown, next: (url: string, context: unknown) => unknown): unknown;
}

markDevelopment();
for (const url of process.env[TYPESCRIPT]?.split(' ') ?? []) (await import(url)).register();
reportImports();
const port = Number(process.env[INSPECT] ?? Number.NaN);
if (Number.isInteger(port)) openInspector(port + (workerData?.shard ?? 0));

function reportImports(): void {
  const reports = new ImportReports();
  const { registerHooks } = modules as { registerHooks?: (hooks: Hooks) => void };
  registerHooks?.({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        reports.onMissing(specifier, context.parentURL);
        throw error;
      }
    },
    load(url, context, next) {
      reports.onLoad(url);
      return next(url, context);
    },
  });
  // Before Node.js 22.15, hooks run on a thread of their own.
  if (registerHooks === undefined) Module.register('../dev/import-hooks.js', import.meta.url);
  // Those hooks see no modules that are loaded by `require`, and with tsx no hooks do.
  const proto = Module.prototype as unknown as { load(file: string): unknown };
  const { load } = proto;
  proto.load = function (file: string) {
    reports.onLoad(pathToFileURL(file).href);
    return load.call(this, file);
  };
}

function openInspector(wanted: number): void {
  const probe = createServer();
  probe.once('error', () => setTimeout(openInspector, RETRY_MS, wanted).unref());
  probe.listen(wanted, '127.0.0.1', () => probe.close(() => inspector.open(wanted)));
  probe.unref();
}
