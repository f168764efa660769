import type { ServeOptions } from './serve-options.js';
import type { SectionName } from './table.js';

type Sections = Required<Pick<ServeOptions, SectionName>>;

/** The given options, without their sections. */
export type FlatOptions = Omit<ServeOptions, SectionName> &
  Sections['limits'] &
  Sections['timeouts'] &
  Sections['scheduling'] &
  Sections['memory'] &
  Sections['recovery'] &
  Sections['threads'];
