/* Marks threads of `loopshard dev`, for every copy of this package that modules on them import. */

const DEVELOPMENT = Symbol.for('loopshard.development');

/** Makes the calling thread one for development: responses of failed handlers show the error. */
export function markDevelopment(): void {
  Object.defineProperty(globalThis, DEVELOPMENT, { value: true });
}

/** Whether the calling thread is one for development. */
export function isDevelopment(): boolean {
  return DEVELOPMENT in globalThis;
}
