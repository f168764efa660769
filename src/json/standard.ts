import { LoopShardError } from '../errors.js';

/** A Standard Schema, with a `jsonSchema` if it can be converted (zod, arktype, valibot's `toStandardJsonSchema`). */
interface StandardSchema {
  readonly '~standard': {
    readonly vendor: string;
    readonly jsonSchema?: {
      output(options: { target: string }): unknown;
      input?(options: { target: string }): unknown;
    };
  };
}

type StandardJsonSchema = NonNullable<StandardSchema['~standard']['jsonSchema']>;

const DRAFT = { target: 'draft-2020-12' };

/**
 * Returns the JSON Schema for the output of a Standard Schema; other schemas unchanged.
 * @throws LoopShardError SCHEMA_INVALID if a Standard Schema cannot be converted
 */
export function jsonSchemaOf(schema: unknown): unknown {
  if (!isStandard(schema)) return schema;
  const { vendor, jsonSchema } = schema['~standard'];
  if (jsonSchema === undefined) {
    throw new LoopShardError(
      'SCHEMA_INVALID',
      `Invalid schema of ${vendor}: it has no conversion to JSON Schema. Convert it yourself and pass the result.`,
    );
  }
  try {
    return openWhatIsStripped(jsonSchema.output(DRAFT), inputOf(jsonSchema));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LoopShardError('SCHEMA_INVALID', `Cannot convert this schema of ${vendor} to JSON Schema: ${reason}`, {
      cause,
    });
  }
}

/** Returns the JSON Schema for the input of a schema, if it has one. */
function inputOf(jsonSchema: StandardJsonSchema): unknown {
  try {
    return jsonSchema.input?.(DRAFT);
  } catch {
    return undefined;
  }
}

/**
 * Removes `additionalProperties: false` where only the output is closed: zod sets it for every object, because parsing strips unknown
 * properties. A writer gets unparsed values and strips them itself. Objects whose input is closed too, as with `z.strictObject`, stay
 * closed.
 */
function openWhatIsStripped(output: unknown, input: unknown): unknown {
  if (typeof output !== 'object' || output === null) return output;
  const beside = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>;
  const open = (key: string, value: unknown) => openWhatIsStripped(value, beside[key]);
  if (Array.isArray(output)) return output.map((item, i) => open(String(i), item));
  const isStripped =
    'additionalProperties' in output && output.additionalProperties === false && beside.additionalProperties !== false;
  const entries = Object.entries(output).filter(([key]) => !isStripped || key !== 'additionalProperties');
  return Object.fromEntries(entries.map(([key, value]) => [key, open(key, value)]));
}

function isStandard(schema: unknown): schema is StandardSchema {
  if ((typeof schema !== 'object' || schema === null) && typeof schema !== 'function') return false;
  // The result of zod's toJSONSchema has `~standard` too, but is already a JSON Schema.
  if ('$schema' in schema) return false;
  const standard = (schema as Partial<StandardSchema>)['~standard'];
  return typeof standard === 'object' && standard !== null;
}
