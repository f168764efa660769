// The app of a framework, whose heavy part runs in a group of its own.
import { createApp } from 'loopshard';
import { fromFetch, fromNode } from 'loopshard/adapters';
import { readSettings } from '../../scheduling/servers/settings.js';

const { foreign } = readSettings();
const { module, adapter } = /** @type {NonNullable<typeof foreign>} */ (foreign);
const { default: whole, heavy } = await import(module);
const wrap = { fromFetch, fromNode }[adapter];

export default createApp()
  .mount('/heavy', wrap(heavy, { group: 'heavy' }))
  .mount('/', wrap(whole));
