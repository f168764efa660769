/**
 * Returns a main module for a thread that only imports `url`. If the process runs with `--input-type`, its threads inherit that flag, and
 * Node.js then rejects a file as main module.
 */
export function entryOf(url: URL): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(url.href)};`)}`);
}

/**
 * The flags of Node.js for a thread: `execArgv`, or the process's flags without `--input-type`, which a thread that runs a file
 * rejects.
 */
export function flagsOf(execArgv: readonly string[] | undefined): { execArgv?: string[] } {
  if (execArgv !== undefined) return { execArgv: [...execArgv] };
  const { execArgv: inherited } = process;
  if (!inherited.some((flag) => flag.startsWith('--input-type'))) return {};
  return { execArgv: inherited.filter((flag) => flag.startsWith('--') && !/^--(input-type|eval|print)/.test(flag)) };
}
