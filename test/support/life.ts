import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Directs life.js: what it does when it is loaded and when it is asked are files of a directory. */
export class Life {
  readonly #dir = mkdtempSync(join(tmpdir(), 'loopshard-'));

  /** The name of the fixture, for `startServer`. */
  get fixture(): string {
    return `life.js?dir=${encodeURIComponent(this.#dir)}`;
  }

  /** The URL of the fixture, for programs. */
  get url(): string {
    return new URL(`../fixtures/${this.fixture}`, import.meta.url).href;
  }

  /** Where a file of the directory lies. */
  file(name: string): string {
    return join(this.#dir, name);
  }

  mark(name: string, text = ''): void {
    writeFileSync(this.file(name), text);
  }

  unmark(name: string): void {
    rmSync(this.file(name));
  }

  /** What all threads have noted, in order; they do once `notes` is marked. */
  get notes(): string[] {
    const lines = readFileSync(this.file('notes'), 'utf8').split('\n');
    return lines.slice(0, -1);
  }

  end(): void {
    rmSync(this.#dir, { recursive: true });
  }
}
