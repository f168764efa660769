import { LoopShardError } from '../errors.js';

/** What a Standard Schema has, if it can be turned into JSON Schema (zod, arktype, valibot's `toStandardJsonSchema`). */
interface StandardSchema {
  readonly '~standard': {
    readonly vendor: string;
    readonly jsonSchema?: { output(options: { target: string }): unknown };
  };
}

/**
 * The JSON Schema of what a Standard Schema puts out; other schemas as they are.
 * @throws LoopShardError SCHEMA_INVALID if it has none
 */
export function jsonSchemaOf(schema: unknown): unknown {
  if (!isStandard(schema)) return schema;
  const { vendor, jsonSchema } = schema['~standard'];
  if (jsonSchema === undefined) {
    throw new LoopShardError(
      'SCHEMA_INVALID',
      `This schema of ${vendor} cannot be turned into JSON Schema by itself. Convert it and pass the result.`,
    );
  }
  try {
    return jsonSchema.output({ target: 'draft-2020-12' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LoopShardError('SCHEMA_INVALID', `This schema of ${vendor} has no JSON Schema: ${reason}`, { cause });
  }
}

function isStandard(schema: unknown): schema is StandardSchema {
  if ((typeof schema !== 'object' || schema === null) && typeof schema !== 'function') return false;
  // zod gives what its toJSONSchema returns a `~standard` too: it is JSON Schema already.
  if ('$schema' in schema) return false;
  const standard = (schema as Partial<StandardSchema>)['~standard'];
  return typeof standard === 'object' && standard !== null;
}
