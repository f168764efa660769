import type { TlsOptions } from 'node:tls';
import { importModule } from '../contract/module-failure.js';
import { LoopShardError } from '../errors.js';
import type { UpgradeOptions } from '../options/protocols.js';
import type { PriorityFunction } from '../options/scheduling.js';
import { type UpgradeListener, Upgrades } from './socket/upgrade.js';

/**
 * User functions that run on HTTP threads, as exports of a module that each HTTP thread loads, because functions cannot be passed from one
 * thread to another.
 */
export interface HttpModule {
  /** Same as the option of this name. */
  priority?: PriorityFunction;
  /** Same as the listener of `server.onUpgrade`. */
  onUpgrade?: UpgradeListener;
  /** Same as the options of `server.onUpgrade`. */
  upgradeOptions?: UpgradeOptions;
  /** Callbacks of `tls.createServer`. */
  tls?: Pick<TlsOptions, 'SNICallback' | 'pskCallback'>;
}

/** The loaded and checked functions. */
export interface HttpFunctions {
  priority?: PriorityFunction | undefined;
  upgrades?: Upgrades | undefined;
  tls?: HttpModule['tls'];
}

/**
 * Loads and checks an `httpModule`. HTTP thread.
 * @param url of the module; undefined if there is none
 * @throws LoopShardError MODULE_FAILED, OPTION_INVALID
 */
export async function loadHttpModule(url: string | undefined): Promise<HttpFunctions> {
  if (url === undefined) return {};
  const { default: commonJs, ...exports } = await importModule(url);
  // The exports of a CommonJS module are its default export.
  const module: HttpModule = { ...(commonJs as HttpModule | undefined), ...exports };
  const { priority, onUpgrade, upgradeOptions, tls } = module;
  checkFunction(url, 'priority', priority);
  checkFunction(url, 'onUpgrade', onUpgrade);
  checkFunction(url, 'tls.SNICallback', tls?.SNICallback);
  checkFunction(url, 'tls.pskCallback', tls?.pskCallback);
  if ([priority, onUpgrade, tls].every((value) => value === undefined)) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `The module ${url} exports nothing that HTTP threads use. Export \`priority\`, \`onUpgrade\` or \`tls\`.`,
    );
  }
  return { priority, upgrades: onUpgrade && new Upgrades(onUpgrade, upgradeOptions ?? {}), tls };
}

function checkFunction(url: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new LoopShardError(
    'OPTION_INVALID',
    `Invalid export \`${name}\` of ${url}: expected a function, got ${typeof value}.`,
  );
}
