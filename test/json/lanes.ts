import { expect } from '@jest/globals';
import { type CompiledWriter, compileWriter, type WriterOptions } from 'loopshard/json';

const lanes = ['wasm', 'v8'] as const;

export function text(writer: CompiledWriter, value: unknown): string {
  return Buffer.from(writer.toBytes(value)).toString();
}

/** Writes a value in both lanes, whose output must be the same. */
export function write(schema: unknown, value: unknown, options: WriterOptions = {}): string {
  const [wasm, v8] = lanes.map((lane) => text(compileWriter(schema, { ...options, lane }), value));
  expect(v8).toBe(wasm);
  return wasm;
}

/** The code and message of the error thrown by both lanes, which must be the same. */
export function code(schema: unknown, value: unknown, options: WriterOptions = {}): [string, string] {
  const [wasm, v8] = lanes.map((lane): [string, string] => {
    try {
      return ['none', text(compileWriter(schema, { ...options, lane }), value)];
    } catch (error) {
      return [(error as { code: string }).code, (error as Error).message];
    }
  });
  expect(v8).toEqual(wasm);
  return wasm;
}

export const user = {
  type: 'object',
  properties: { id: { type: 'integer' }, name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['id', 'name'],
} as const;
