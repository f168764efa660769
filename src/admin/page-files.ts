import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Where the build puts the files, seen from this module in build/src and from its bundle. */
const FOLDER = new URL('../../dist/admin/', import.meta.url);
const FILES = [
  { path: '/', name: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.js', name: 'page.js', type: 'text/javascript; charset=utf-8' },
  { path: '/page.css', name: 'page.css', type: 'text/css; charset=utf-8' },
] as const;

/** Nothing but these files and the admin listener itself; no frame of another site may show the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const FIELDS = {
  'cache-control': 'no-cache',
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

interface Loaded {
  bytes: Buffer;
  etag: string;
}

/** A file of the page. It is read when it is first requested. */
export class PageFile {
  readonly path: string;
  readonly #name: string;
  readonly #type: string;
  #loaded: Promise<Loaded> | undefined;

  constructor({ path, name, type }: (typeof FILES)[number]) {
    this.path = path;
    this.#name = name;
    this.#type = type;
  }

  async send({ headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#loaded ??= load(this.#name);
    const { bytes, etag } = await this.#loaded;
    for (const [name, value] of Object.entries({ ...FIELDS, etag })) response.setHeader(name, value);
    if (headers['if-none-match'] === etag) return void response.writeHead(304).end();
    response.writeHead(200, { 'content-type': this.#type, 'content-length': bytes.length }).end(bytes);
  }
}

async function load(name: string): Promise<Loaded> {
  const bytes = await readFile(new URL(name, FOLDER));
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

/** The files of the page. Control thread. */
export const pageFiles: readonly PageFile[] = FILES.map((file) => new PageFile(file));
