/** The URL of a module that was not found, by its relative specifier: the app is to be loaded again once it exists. */
export function missingUrl(specifier: string, parent: string | undefined): string | undefined {
  return /^\.{0,2}\//.test(specifier) && parent?.startsWith('file:') === true
    ? new URL(specifier, parent).href
    : undefined;
}
