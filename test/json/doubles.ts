import { CoreMemory } from 'loopshard/core';

const COUNT = 4096;

/** Prints doubles with the kernel and with JSON.stringify, in batches, and returns the first difference. */
export class DoubleComparison {
  readonly #core = CoreMemory.create(COUNT * 48);
  readonly #source = this.#core.allocate(COUNT * 8);
  readonly #target = this.#core.allocate(COUNT * 32);
  readonly #work = this.#core.allocate(128);
  readonly #values = new Float64Array(this.#core.buffer, this.#source, COUNT);
  #count = 0;
  checked = 0;
  differences: string[] = [];

  add(value: number): void {
    this.#values[this.#count++] = value;
    if (this.#count === COUNT) this.flush();
  }

  flush(): void {
    const limit = this.#target + COUNT * 32;
    const end = this.#core.wasm.jsonNumbers(this.#target, limit, this.#source, this.#count, this.#work);
    const values = Array.from(this.#values.subarray(0, this.#count));
    const written = `[${this.#core.bytes.toString('latin1', this.#target, end)}]`;
    if (written !== JSON.stringify(values)) this.#find(values, written.slice(1, -1).split(','));
    this.checked += this.#count;
    this.#count = 0;
  }

  #find(values: number[], texts: string[]): void {
    for (const [i, value] of values.entries()) {
      if (texts[i] !== JSON.stringify(value)) this.differences.push(`${JSON.stringify(value)} was ${texts[i]}`);
    }
  }
}

/** Yields random bit patterns until `count` doubles were compared. */
export function compareRandomDoubles(comparison: DoubleComparison, next: () => number, count: number): void {
  for (let i = 0; i < count && comparison.differences.length === 0; i++) comparison.add(next());
  comparison.flush();
}

/** `value` and its `reach` neighbours on each side. */
export function addNeighbours(comparison: DoubleComparison, value: number, reach: number): void {
  const float = new Float64Array([value]);
  const bits = new BigUint64Array(float.buffer);
  const middle = bits[0];
  for (let distance = -reach; distance <= reach; distance++) {
    bits[0] = BigInt.asUintN(64, middle + BigInt(distance));
    comparison.add(float[0]);
    comparison.add(-float[0]);
  }
}
