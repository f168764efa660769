/**
 * The main module of a thread, as a module that imports `url` and does nothing else: Node.js refuses a file as main module where the
 * process runs with `--input-type`, whose flags its threads inherit.
 */
export function entryOf(url: URL): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(url.href)};`)}`);
}

/**
 * The flags of Node.js for a thread: those that were asked for, or the process's. Of the process's, `--input-type` is left out,
 * which is for code that is given in the place of a file, and which a thread that runs a file refuses.
 */
export function flagsOf(execArgv: readonly string[] | undefined): { execArgv?: string[] } {
  if (execArgv !== undefined) return { execArgv: [...execArgv] };
  const { execArgv: inherited } = process;
  if (!inherited.some((flag) => flag.startsWith('--input-type'))) return {};
  return { execArgv: inherited.filter((flag) => flag.startsWith('--') && !/^--(input-type|eval|print)/.test(flag)) };
}
