import { CompiledWriter } from './compile.js';
import type { Infer, JsonSchema } from './schema.js';

let untypedWriter: CompiledWriter | undefined;
const compiled = new WeakMap<object, CompiledWriter>();

/**
 * Writes a value as JSON. A schema is compiled once and cached as long as its object lives.
 * @throws LoopShardError SCHEMA_INVALID, VALUE_MISMATCH (also for `undefined`, which is not a JSON value), DEPTH_EXCEEDED
 */
export function jsonBytes(value: unknown): Uint8Array<ArrayBuffer>;
export function jsonBytes<const S>(value: Infer<S>, schema: S): Uint8Array<ArrayBuffer>;
export function jsonBytes(value: unknown, schema?: JsonSchema): Uint8Array<ArrayBuffer> {
  if (typeof schema !== 'object') {
    untypedWriter ??= new CompiledWriter(true);
    return (schema === undefined ? untypedWriter : new CompiledWriter(schema)).toBytes(value);
  }
  let writer = compiled.get(schema);
  if (writer === undefined) {
    writer = new CompiledWriter(schema);
    compiled.set(schema, writer);
  }
  return writer.toBytes(value);
}
