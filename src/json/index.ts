/**
 * JSON writers compiled from schemas. Works alone: no server, no threads.
 * @module loopshard/json
 */

export { LoopShardError, type LoopShardErrorCode } from '../errors.js';
export { jsonBytes } from './bytes.js';
export { CompiledWriter, compileWriter, type WriterDebugging, type WriterExplanation } from './compile.js';
export { JsonWriter, type JsonWriterOptions } from './direct.js';
export type { NumberArray } from './region.js';
export type { Infer, JsonSchema, JsonSchemaObject, WriterOptions } from './schema.js';
