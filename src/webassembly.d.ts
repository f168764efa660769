/*
 * What LoopShard uses of WebAssembly. TypeScript declares it only together with the whole DOM, which this code must not
 * see. Not part of the published types: they name none of it.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(descriptor: { shared: true; initial: number; maximum: number });
    readonly buffer: SharedArrayBuffer;
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
}
