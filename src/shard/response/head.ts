import { STATUS_CODES } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import type { CoreMemory } from '../../core/memory.js';

/** Captured when the module is loaded, because a handler may replace the global. */
const RealDate = Date;

/** Lines that many responses share: status line, date, keep-alive, content type. In shared memory, so that WASM can copy them. */
export interface Template {
  address: number;
  bytes: number;
  text: string;
}

const MS_PER_S = 1_000;

/** Bytes of a head besides its template and its own headers: content-length with ten digits, and the empty line. */
const LENGTH_AND_END_BYTES = 30;

/** Writes response heads in front of their bodies. Shard only. */
export class HeadWriter {
  readonly #core: CoreMemory;
  readonly #start: number;
  readonly #end: number;
  readonly #keepAliveLines: string;
  #next: number;
  /** The latest template, which is usually needed again. */
  #latest: { statusCode: number; contentType: string | undefined; template: Template } | undefined;
  /** Fires at the end of the second in the templates' date. */
  #second: NodeJS.Timeout | undefined;
  /** By status and content type. */
  readonly #templates = new Map<number, Map<string | undefined, Template>>();

  /**
   * @param area address range for templates, without `end`
   * @param keepAliveLines lines in every head that announce the keep-alive timeout
   */
  constructor(core: CoreMemory, area: { start: number; end: number }, keepAliveLines: string) {
    this.#core = core;
    this.#keepAliveLines = keepAliveLines;
    this.#start = area.start;
    this.#end = area.end;
    this.#next = area.start;
  }

  /** Returns the template for a response. Templates are dropped by a timer: reading the clock here would double the cost. */
  template(statusCode: number, contentType: string | undefined): Template {
    const latest = this.#latest;
    if (latest?.statusCode === statusCode && latest.contentType === contentType) return latest.template;
    const template = this.#templates.get(statusCode)?.get(contentType) ?? this.#add(statusCode, contentType);
    this.#latest = { statusCode, contentType, template };
    return template;
  }

  /** Maximum size of a head in bytes. */
  room(template: Template, lines: string): number {
    return template.bytes + lines.length + LENGTH_AND_END_BYTES;
  }

  /**
   * Writes the head so that the body follows at `bodyStart`.
   * @param contentLength bytes, or -1 for a response without content-length
   * @returns the address of the first byte
   */
  write(bodyStart: number, template: Template, lines: string, contentLength: number): number {
    if (lines.length > 0) this.#core.bytes.latin1Write(lines, bodyStart - 2 - lines.length, lines.length);
    const { wasm } = this.#core;
    return wasm.writeHeadBefore(bodyStart, template.address, template.bytes, lines.length, contentLength);
  }

  /** Returns the same head in its own buffer, for a streamed response. */
  bytes(template: Template, lines: string, contentLength: number): Buffer {
    const length = contentLength < 0 ? '' : `content-length: ${contentLength}\r\n`;
    return Buffer.from(`${template.text}${length}${lines}\r\n`, 'latin1');
  }

  #add(statusCode: number, contentType: string | undefined): Template {
    const now = new RealDate();
    const date = now.toUTCString();
    let text = `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? ''}\r\ndate: ${date}\r\n${this.#keepAliveLines}`;
    if (contentType !== undefined) text += `content-type: ${contentType}\r\n`;
    if (this.#next + text.length > this.#end) this.#clear();
    this.#second ??= setTimeout(() => this.#clear(), MS_PER_S - now.getMilliseconds()).unref();
    const template = { address: this.#next, bytes: text.length, text };
    this.#core.bytes.latin1Write(text, template.address, text.length);
    this.#next += text.length;
    const ofStatus = this.#templates.get(statusCode) ?? new Map<string | undefined, Template>();
    this.#templates.set(statusCode, ofStatus.set(contentType, template));
    return template;
  }

  #clear(): void {
    clearTimeout(this.#second);
    this.#second = undefined;
    this.#latest = undefined;
    this.#templates.clear();
    this.#next = this.#start;
  }
}
