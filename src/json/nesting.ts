import { LoopShardError } from '../errors.js';

const COMMA = 0x2c;

/** What may come next. */
enum Next {
  /** The one value of the document. */
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

/** Keeps a document valid: says which punctuation a part needs, and refuses a part that has no place. */
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

  /** Before a value. Returns the comma to write, or 0. */
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
        throw wrong('The document is complete; a second value has no place.');
      default:
        throw wrong('An object wants a key before each value; call key() first.');
    }
  }

  /** Before a key. Returns the comma to write, or 0. */
  key(): number {
    if (this.#next !== Next.FirstKey && this.#next !== Next.Key) {
      throw wrong(
        this.#next === Next.Value ? 'The last key has no value yet.' : 'A key has a place in an object only.',
      );
    }
    const comma = this.#next === Next.Key ? COMMA : 0;
    this.#next = Next.Value;
    return comma;
  }

  /** `before` does what a value needs before it. */
  begin(object: boolean, before: () => void): void {
    if (this.#open.length >= this.#maxDepth) {
      throw new LoopShardError(
        'DEPTH_EXCEEDED',
        `The document is nested more than ${this.#maxDepth} levels deep. Close an array or an object, or raise \`maxDepth\`.`,
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
        `There is no ${object ? 'object' : 'array'} to end here${kind === undefined ? '' : '; end what is open inside it first'}.`,
      );
    }
    if (this.#next === Next.Value) throw wrong('The last key has no value yet.');
    this.#open.pop();
    const outer = this.#open.at(-1);
    this.#next = outer === undefined ? Next.Nothing : outer === OBJECT ? Next.Key : Next.Item;
  }

  /** Nothing has a place any more. */
  close(): void {
    this.#open.length = 0;
    this.#next = Next.Nothing;
  }

  /** @throws LoopShardError NESTING_INVALID unless the document is complete */
  finish(): void {
    if (this.#next === Next.Nothing) return;
    throw wrong(
      this.#open.length > 0
        ? `${this.#open.length} objects or arrays are still open; end them first.`
        : 'Nothing was written.',
    );
  }
}

function wrong(message: string): LoopShardError {
  return new LoopShardError('NESTING_INVALID', message);
}
