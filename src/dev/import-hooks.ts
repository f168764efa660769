/* Module hooks for Node.js before 22.15: reports the modules that a shard imports. On the thread of the hooks. */
import { ImportReports } from './imports.js';

const reports = new ImportReports();

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => unknown,
) {
  try {
    return await next(specifier, context);
  } catch (error) {
    reports.onMissing(specifier, context.parentURL);
    throw error;
  }
}

export async function load(url: string, context: unknown, next: (url: string, context: unknown) => unknown) {
  reports.onLoad(url);
  return next(url, context);
}
