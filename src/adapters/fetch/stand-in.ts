/* Makes a class of ours pass for one of Node.js. */

// biome-ignore lint/complexity/noBannedTypes: any class
type Class = Function & { readonly prototype: object };

const isOrdinaryInstance = Function.prototype[Symbol.hasInstance];

/**
 * Makes instances of a class instances of a native class too, for code that has kept the native class. The class keeps its name, its
 * constructor and the methods that it inherits.
 */
export function standFor(ours: Class, native: Class): void {
  const base = Object.getPrototypeOf(ours.prototype);
  if (base !== Object.prototype) {
    const inherited = Object.getOwnPropertyDescriptors(base);
    Object.defineProperties(ours.prototype, { ...inherited, ...Object.getOwnPropertyDescriptors(ours.prototype) });
  }
  Object.setPrototypeOf(ours.prototype, native.prototype);
  // Native instances are instances of ours too, but not of a class that a user derives from ours.
  Object.defineProperty(ours, Symbol.hasInstance, {
    value(this: Class, value: unknown) {
      return isOrdinaryInstance.call(this === ours ? native : this, value);
    },
  });
}
