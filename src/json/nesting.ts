import { LoopShardError } from '../errors.js';

const COMMA = 0x2c;

/** What may be written next. */
enum Next {
  /** The value of the document. */
  Document,
  /** Nothing: the document is complete. */
  Nothing,
  FirstKey,
  Key,
  /** The value of a key. */
  Value,
  FirstItem,
  Item,
}

const OBJECT = 0;
const ARRAY = 1;

/** Keeps a document valid: determines the punctuation before each part, and rejects misplaced parts. */
export class Nesting {
  readonly #maxDepth: number;
  readonly #open: number[] = [];
  #next = Next.Document;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  get complete(): boolean {
    return this.#next === Next.Nothing;
  }

  /** Called before a value. Returns the comma to write, or 0. */
  value(): number {
    switch (this.#next) {
      case Next.Document:
        this.#next = Next.Nothing;
        return 0;
      case Next.Value:
        this.#next = Next.Key;
        return 0;
      case Next.FirstItem:
        this.#next = Next.Item;
        return 0;
      case Next.Item:
        return COMMA;
      case Next.Nothing:
        throw wrong('Cannot write another value: the JSON document is already complete.');
      default:
        throw wrong('Call `key()` before writing a value inside an object.');
    }
  }

  /** Called before a key. Returns the comma to write, or 0. */
  key(): number {
    if (this.#next !== Next.FirstKey && this.#next !== Next.Key) {
      throw wrong(
        this.#next === Next.Value
          ? 'Cannot write another key: the last one has no value yet.'
          : 'Cannot write a key outside of an object.',
      );
    }
    const comma = this.#next === Next.Key ? COMMA : 0;
    this.#next = Next.Value;
    return comma;
  }

  /** Begins a container. `before` writes the punctuation before it. */
  begin(object: boolean, before: () => void): void {
    if (this.#open.length >= this.#maxDepth) {
      throw new LoopShardError(
        'DEPTH_EXCEEDED',
        `Cannot nest more than ${this.#maxDepth} levels deep. End an array or an object, or raise \`maxDepth\`.`,
      );
    }
    before();
    this.#open.push(object ? OBJECT : ARRAY);
    this.#next = object ? Next.FirstKey : Next.FirstItem;
  }

  end(object: boolean): void {
    const kind = this.#open.at(-1);
    if (kind !== (object ? OBJECT : ARRAY)) {
      throw wrong(
        kind === undefined
          ? `Cannot end an ${object ? 'object' : 'array'}: none is open.`
          : `Cannot end an ${object ? 'object' : 'array'}: the innermost open container is an ${object ? 'array' : 'object'}.`,
      );
    }
    if (this.#next === Next.Value) throw wrong('Cannot end an object: its last key has no value yet.');
    this.#open.pop();
    const outer = this.#open.at(-1);
    this.#next = outer === undefined ? Next.Nothing : outer === OBJECT ? Next.Key : Next.Item;
  }

  /** Rejects every further part. */
  close(): void {
    this.#open.length = 0;
    this.#next = Next.Nothing;
  }

  /** @throws LoopShardError NESTING_INVALID unless the document is complete */
  finish(): void {
    if (this.#next === Next.Nothing) return;
    throw wrong(
      this.#open.length > 0
        ? `Cannot finish the JSON document: ${this.#open.length} objects or arrays are still open. End them first.`
        : 'Cannot finish the JSON document: nothing was written.',
    );
  }
}

function wrong(message: string): LoopShardError {
  return new LoopShardError('NESTING_INVALID', message);
}
