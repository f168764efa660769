/*
 * llhttp, the parser that Node.js itself uses, as the WASM build inside undici. Only this file knows where it is and how to call it. HTTP
 * thread only.
 */
import { createRequire } from 'node:module';
import type { CoreMemory } from '../../core/memory.js';
import { LoopShardError } from '../../errors.js';
import { ALL_METHODS } from '../../options/methods.js';
import { HeadIndex, type HeadLimits } from './head-index.js';
import { HeadRules } from './head-rules.js';
import { KnownHeads } from './known-heads.js';

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
  llhttp_should_keep_alive(parser: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
}

const { ERROR, METHODS: PARSER_METHODS } = require('undici/lib/llhttp/constants.js') as {
  ERROR: Record<string, number>;
  METHODS: Record<string, number>;
};

/** Return values of `llhttp_execute`: 0 or the reason why it stopped. */
export const PARSED = ERROR.OK;
export const PAUSED = ERROR.PAUSED;
export const PAUSED_FOR_UPGRADE = ERROR.PAUSED_UPGRADE;
export const STOPPED_BY_CALLBACK = ERROR.USER;
export const INVALID_VERSION = ERROR.INVALID_VERSION;
/** An HTTP/2 client with prior knowledge (RFC 9113 section 3.4). */
export const HTTP2_PREFACE = ERROR.PAUSED_H2_UPGRADE;
export const INVALID_CONSTANT = ERROR.INVALID_CONSTANT;
export const INVALID_METHOD = ERROR.INVALID_METHOD;
/** Return values of callbacks: continue, or stop with STOPPED_BY_CALLBACK. */
export const GO_ON = 0;
export const STOP = -1;
/** Return value of onHead if the parser must skip the body, because it is read elsewhere. */
export const SKIP_BODY = 1;

/** Maximum number of bytes parsed in one call. */
export const CHUNK_BYTES = 65_536;
/** Parsers of one instance. */
const PARSERS = 1_024;

const REQUEST_TYPE = 1;

/** Maps llhttp's number of a method to its index in ALL_METHODS, or -1. */
const METHOD_INDEX = new Int8Array(64).fill(-1);
for (const [index, method] of ALL_METHODS.entries()) METHOD_INDEX[PARSER_METHODS[method]] = index;

/** Callbacks of the parser in JavaScript; those for the parts of the head go directly to the WASM core (assembly/head.ts). */
export interface ParserEvents {
  /** The head is complete; `found` is the return value of headComplete. Returns GO_ON, SKIP_BODY or STOP. */
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
 * An instance of the parser's module, with a fixed number of parsers. All its memory is allocated at once, so it never grows, and sockets
 * may read directly into it.
 */
class Llhttp {
  readonly #exports: LlhttpExports;
  /** The input buffer, into which sockets read. */
  readonly chunkAddress: number;
  readonly chunk: Buffer;
  /** The parser's whole memory. */
  readonly bytes: Buffer;
  /** Its buffer: asking a view for its buffer costs as much as creating a view. */
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

  /** Takes a request parser; only while `hasFree`. */
  open(): number {
    return this.#free.pop()!;
  }

  close(parser: number): void {
    this.#exports.llhttp_reset(parser);
    this.#free.push(parser);
  }

  /** Parses the bytes at `at`. Returns PARSED or why it stopped. */
  execute(parser: number, events: ParserEvents, at: number, bytes: number): number {
    this.#active = events;
    return this.#exports.llhttp_execute(parser, at, bytes);
  }

  /** The peer has sent its last byte. PARSED if no message was cut short. */
  finish(parser: number, events: ParserEvents): number {
    this.#active = events;
    return this.#exports.llhttp_finish(parser);
  }

  /** The address at which `execute` stopped. */
  position(parser: number): number {
    return this.#exports.llhttp_get_error_pos(parser);
  }

  /** llhttp's text of the reason why it stopped. */
  reason(parser: number): string {
    const start = this.#exports.llhttp_get_error_reason(parser);
    return start === 0 ? '' : this.bytes.latin1Slice(start, this.bytes.indexOf(0, start));
  }

  resume(parser: number, reason: number): void {
    if (reason === PAUSED_FOR_UPGRADE) this.#exports.llhttp_resume_after_upgrade(parser);
    else this.#exports.llhttp_resume(parser);
  }

  /** Whether it will parse what follows the current message, and not reject it. Within `onMessageComplete`. */
  goesOn(parser: number): boolean {
    return this.#exports.llhttp_should_keep_alive(parser) === 1;
  }

  /** Index in ALL_METHODS of the request's method, or -1 for one that LoopShard does not route. */
  method(parser: number): number {
    return METHOD_INDEX[this.#exports.llhttp_get_method(parser)];
  }
}

export type { Llhttp };

/** The parser instances, as many as the connections need, and what they share. */
export class Parsers {
  readonly index: HeadIndex;
  readonly rules: HeadRules;
  readonly heads = new KnownHeads();
  readonly #core: CoreMemory;
  readonly #instances: Llhttp[] = [];

  /**
   * @param headIndex address of the HTTP thread's head index
   * @throws LoopShardError MEMORY_EXHAUSTED
   */
  constructor(core: CoreMemory, headIndex: number, limits: HeadLimits) {
    this.#core = core;
    this.index = new HeadIndex(core, headIndex, limits);
    this.rules = new HeadRules(this.index);
    try {
      // Now, so that a failure ends the start and not the first connection.
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
   * Returns an instance with a free parser.
   * @throws RangeError if no memory is available for another one
   */
  instance(): Llhttp {
    let instance = this.#instances.find(({ hasFree }) => hasFree);
    if (instance === undefined) {
      instance = new Llhttp(this.#core);
      this.#instances.push(instance);
    }
    return instance;
  }

  /** Number of parsers in use by connections. */
  get open(): number {
    return this.#instances.reduce((sum, { openParsers }) => sum + openParsers, 0);
  }
}
