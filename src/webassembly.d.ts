/*
 * What LoopShard and its tests use of WebAssembly. TypeScript declares it only together with the whole DOM, which this code must not
 * see. Not part of the published types: they name none of it.
 */
declare namespace WebAssembly {
  interface Descriptor {
    name: string;
    kind: string;
  }
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): (Descriptor & { module: string })[];
    static exports(module: Module): Descriptor[];
  }
  class Memory {
    constructor(descriptor: { shared: true; initial: number; maximum: number });
    readonly buffer: SharedArrayBuffer;
  }
  class Global {
    readonly value: number;
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
}
