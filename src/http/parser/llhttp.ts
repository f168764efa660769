/*
 * llhttp, the parser that Node.js itself uses, as the WASM build inside undici. This file alone knows where it lies and
 * how it is spoken to. HTTP thread only.
 */
import { createRequire } from 'node:module';
import type { CoreMemory } from '../../core/memory.js';
import { LoopShardError } from '../../errors.js';
import { METHODS } from '../../options/methods.js';
import { HeadIndex } from './head-index.js';
import { HeadRules } from './head-rules.js';

const require = createRequire(import.meta.url);

interface LlhttpExports {
  memory: { readonly buffer: ArrayBuffer };
  _initialize?(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_reset(parser: number): void;
  llhttp_execute(parser: number, at: number, bytes: number): number;
  llhttp_finish(parser: number): number;
  llhttp_resume(parser: number): void;
  llhttp_resume_after_upgrade(parser: number): void;
  llhttp_get_method(parser: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
}

const { ERROR, METHODS: PARSER_METHODS } = require('undici/lib/llhttp/constants.js') as {
  ERROR: Record<string, number>;
  METHODS: Record<string, number>;
};

/** What `llhttp_execute` returns: 0 or the reason why it stopped. */
export const PARSED = ERROR.OK;
export const PAUSED = ERROR.PAUSED;
export const PAUSED_FOR_UPGRADE = ERROR.PAUSED_UPGRADE;
export const STOPPED_BY_CALLBACK = ERROR.USER;
export const INVALID_VERSION = ERROR.INVALID_VERSION;
/** A client of HTTP/2 that did not ask first (RFC 9113 section 3.4). */
export const HTTP2_PREFACE = ERROR.PAUSED_H2_UPGRADE;
export const INVALID_CONSTANT = ERROR.INVALID_CONSTANT;
export const INVALID_METHOD = ERROR.INVALID_METHOD;
/** What a callback returns to go on, or to stop with STOPPED_BY_CALLBACK. */
export const GO_ON = 0;
export const STOP = -1;
/** What onHead returns when the parser shall not look for a body: somebody else takes it. */
export const SKIP_BODY = 1;

/** Bytes that are parsed at once. */
export const CHUNK_BYTES = 65_536;
/** Parsers of one instance. */
const PARSERS = 1_024;

const REQUEST_TYPE = 1;

/** llhttp's number of a method → its index in METHODS, or -1. */
const METHOD_INDEX = new Int8Array(64).fill(-1);
for (const [index, method] of METHODS.entries()) METHOD_INDEX[PARSER_METHODS[method]] = index;

/** What the parser tells JavaScript; everything about the head goes straight to the WASM core (assembly/head.ts). */
export interface ParserEvents {
  /** The head is complete; `found` is what headComplete returned. Returns GO_ON, SKIP_BODY or STOP. */
  onHead(found: number): number;
  /** A piece of the body at `at` in the parser's memory. Returns GO_ON or STOP. */
  onBody(at: number, bytes: number): number;
  /** Returns GO_ON, STOP or PAUSED. */
  onMessageComplete(): number;
}

let module: WebAssembly.Module | undefined;

/** The parser's module, compiled once. */
function compiled(): WebAssembly.Module {
  module ??= new WebAssembly.Module(require('undici/lib/llhttp/llhttp_simd-wasm.js') as Uint8Array);
  return module;
}

/**
 * An instance of the parser's module, with a fixed number of parsers. All it will ever need is allocated at once, so its
 * memory never grows and sockets may read right into it.
 */
class Llhttp {
  readonly #exports: LlhttpExports;
  /** Where what is parsed stands: sockets read into it. */
  readonly chunkAddress: number;
  readonly chunk: Buffer;
  /** The whole of the parser's memory. */
  readonly bytes: Buffer;
  /** The same. To ask a view for its buffer costs as much as to make a view. */
  readonly memory: ArrayBuffer;
  readonly words: Int32Array;
  readonly #free: number[] = [];
  #active: ParserEvents | undefined;

  constructor(core: CoreMemory) {
    const { wasm } = core;
    const imports = {
      wasm_on_message_begin: wasm.headBegin,
      wasm_on_url: wasm.headTarget,
      wasm_on_header_field: wasm.headName,
      wasm_on_header_value: wasm.headValue,
      wasm_on_headers_complete: (parser: number, status: number, upgrade: number, keepAlive: number) =>
        this.#active!.onHead(wasm.headComplete(parser, status, upgrade, keepAlive)),
      wasm_on_body: (_parser: number, at: number, bytes: number) => this.#active!.onBody(at, bytes),
      wasm_on_message_complete: () => this.#active!.onMessageComplete(),
      wasm_on_status: () => GO_ON,
    };
    this.#exports = new WebAssembly.Instance(compiled(), { env: imports }).exports as unknown as LlhttpExports;
    this.#exports._initialize?.();
    this.chunkAddress = this.#exports.malloc(CHUNK_BYTES);
    for (let i = 0; i < PARSERS; i++) this.#free.push(this.#exports.llhttp_alloc(REQUEST_TYPE));
    this.memory = this.#exports.memory.buffer;
    this.words = new Int32Array(this.memory);
    this.bytes = Buffer.from(this.memory);
    this.chunk = this.bytes.subarray(this.chunkAddress, this.chunkAddress + CHUNK_BYTES);
  }

  get openParsers(): number {
    return PARSERS - this.#free.length;
  }

  get hasFree(): boolean {
    return this.#free.length > 0;
  }

  /** A request parser; only while `hasFree`. */
  open(): number {
    return this.#free.pop()!;
  }

  close(parser: number): void {
    this.#exports.llhttp_reset(parser);
    this.#free.push(parser);
  }

  /** Parses what stands at `at`. Returns PARSED or why it stopped. */
  execute(parser: number, events: ParserEvents, at: number, bytes: number): number {
    this.#active = events;
    return this.#exports.llhttp_execute(parser, at, bytes);
  }

  /** The peer has sent its last byte. PARSED if no message was cut short. */
  finish(parser: number, events: ParserEvents): number {
    this.#active = events;
    return this.#exports.llhttp_finish(parser);
  }

  /** Where `execute` stopped. */
  position(parser: number): number {
    return this.#exports.llhttp_get_error_pos(parser);
  }

  /** Why it stopped, in llhttp's words. */
  reason(parser: number): string {
    const start = this.#exports.llhttp_get_error_reason(parser);
    return start === 0 ? '' : this.bytes.latin1Slice(start, this.bytes.indexOf(0, start));
  }

  resume(parser: number, reason: number): void {
    if (reason === PAUSED_FOR_UPGRADE) this.#exports.llhttp_resume_after_upgrade(parser);
    else this.#exports.llhttp_resume(parser);
  }

  /** Index in METHODS of the request's method, or -1 for one that LoopShard does not route. */
  method(parser: number): number {
    return METHOD_INDEX[this.#exports.llhttp_get_method(parser)];
  }
}

export type { Llhttp };

/** As many instances as there are connections for, and what all of them share. */
export class Parsers {
  readonly index: HeadIndex;
  readonly rules: HeadRules;
  readonly #core: CoreMemory;
  readonly #instances: Llhttp[] = [];

  /**
   * @param headIndex address of the HTTP thread's head index
   * @throws LoopShardError MEMORY_EXHAUSTED
   */
  constructor(core: CoreMemory, headIndex: number) {
    this.#core = core;
    this.index = new HeadIndex(core, headIndex);
    this.rules = new HeadRules(this.index);
    try {
      // Now, so that what is wrong ends the start and not the first connection.
      this.instance();
    } catch (cause) {
      throw new LoopShardError(
        'MEMORY_EXHAUSTED',
        `Cannot allocate the memory of the HTTP parser: ${(cause as Error).message}. Each ${PARSERS} connections need an address space of several GiB. Raise the limit (\`ulimit -v\`).`,
        { cause },
      );
    }
  }

  /**
   * An instance with a parser to spare.
   * @throws RangeError if there is no memory for another one
   */
  instance(): Llhttp {
    let instance = this.#instances.find(({ hasFree }) => hasFree);
    if (instance === undefined) {
      instance = new Llhttp(this.#core);
      this.#instances.push(instance);
    }
    return instance;
  }

  /** Parsers that connections have. */
  get open(): number {
    return this.#instances.reduce((sum, { openParsers }) => sum + openParsers, 0);
  }
}
