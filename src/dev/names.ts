/** The environment variable with the URLs of modules whose `register()` is called before the app is loaded, separated by spaces. */
export const TYPESCRIPT = 'LOOPSHARD_TYPESCRIPT';
/** The environment variable with the inspector's port of shard 0; each further shard has the next one. */
export const INSPECT = 'LOOPSHARD_INSPECT';
